import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, type Transport } from "@heddle/core";
import { type LoopbackHttp2Endpoint, loopbackHttp2Endpoint, transportContract } from "@heddle/testing";
import { test } from "vitest";
import { LiveAuthority, overTls, REVIEWS, TestClientTls, WEB } from "../test/tls.ts";
import { httpTransport } from "./undici-transport.ts";

const authority = new LiveAuthority();
const server = { ...authority.issue(REVIEWS), requestCert: true, rejectUnauthorized: true };
const client = new TestClientTls(authority.issue(WEB));

function openOn(endpoint: LoopbackHttp2Endpoint, transport: Transport) {
  return { transport, endpoint, pass: (ms: number) => sleep(ms), close: () => endpoint.close() };
}

const http2: Transport = { open: (settings) => httpTransport().open({ ...settings, protocol: "http2" }) };

transportContract({ name: "http2", test, open: async () => openOn(await loopbackHttp2Endpoint(), http2) });
transportContract({
  name: "http2 over TLS",
  test,
  open: async () => openOn(await loopbackHttp2Endpoint(systemClock, server), overTls(httpTransport(), client, "http2")),
});
