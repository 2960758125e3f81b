import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, type Transport } from "@heddle/core";
import { type LoopbackGrpcEndpoint, loopbackGrpcEndpoint, rpcRequestOf, transportRpcContract } from "@heddle/testing";
import { test } from "vitest";
import { LiveAuthority, REVIEWS, TestClientTls, WEB } from "../../http/test/tls.ts";
import { grpcTransport } from "./grpc-transport.ts";

const authority = new LiveAuthority();
const server = { ...authority.issue(REVIEWS), requestCert: true, rejectUnauthorized: true };
const client = new TestClientTls(authority.issue(WEB));

function openOn(endpoint: LoopbackGrpcEndpoint, tls: TestClientTls | null) {
  const transport: Transport = { open: (settings) => grpcTransport().open({ ...settings, protocol: "grpc", tls }) };
  return { transport, endpoint, request: rpcRequestOf, pass: (ms: number) => sleep(ms), close: () => endpoint.close() };
}

transportRpcContract({ name: "grpc", test, open: async () => openOn(await loopbackGrpcEndpoint(), null) });
transportRpcContract({
  name: "grpc over TLS",
  test,
  open: async () => openOn(await loopbackGrpcEndpoint(systemClock, server), client),
});
