import { SpanStatusCode } from "@opentelemetry/api";
import { afterEach, expect, test } from "vitest";
import { answering, callWith, failing, inboundOf, settableClock, tried } from "../../../../test/telemetry/fake-exchange.ts";
import { registerSdk, unregisterSdk } from "../../../../test/telemetry/otel-sdk.ts";
import { MeshError } from "../errors.ts";
import type { HeaderMap, MeshRequest } from "../message.ts";
import { TransportFailure } from "../transport.ts";
import { accessLog } from "./access-log.ts";
import { outcomeOf } from "./exchange.ts";
import { createMetrics } from "./metrics.ts";
import { clientSpan, serverSpan } from "./tracing.ts";

afterEach(unregisterSdk);

const deps = { warn() {} };

function attempted(headers: HeaderMap = {}): MeshRequest {
  const request = callWith({ headers, authority: "ratings:9083" });
  request.context.service = "ratings";
  return { ...request, attempt: tried(request, { endpoint: "127.0.0.1:9083" }) };
}

function incoming(route: string): MeshRequest {
  const request = callWith();
  Object.assign(request.context, { inbound: inboundOf("spiffe://shop.example/web"), route });
  return request;
}

test("a call is counted under what it ended with, once its trailers have come", async () => {
  const metrics = createMetrics(settableClock(), () => {});
  for (const status of ["0", "14", "99"]) {
    const { handler, body } = answering();
    const before = metrics.counts().length;
    await metrics.layer("outbound")(handler)(callWith());
    expect(metrics.counts()).toHaveLength(before);
    body.end({ "grpc-status": status });
  }
  expect(metrics.counts().map(({ outcome }) => outcome)).toEqual(["grpc:ok", "grpc:unavailable", "grpc:unknown"]);
});

test("a call that the mesh failed, or whose connection broke, has the mesh's word", () => {
  const { body } = answering();
  const response = { status: 200, headers: {}, body };
  expect(outcomeOf("outbound", callWith(), null, new MeshError("breaker_open", "x"))).toBe("breaker_open");
  expect(outcomeOf("outbound", callWith(), response, new TransportFailure("reset", "x"))).toBe("connection_reset");
});

test("a log line has the status of the call, also where the mesh refused it", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = accessLog({ logger: { info: (line) => lines.push(line as Record<string, unknown>) } }, { clock: settableClock(), ...deps });
  const { handler, body } = answering();
  await log?.layer("outbound")(handler)(callWith());
  body.end({ "grpc-status": "5" });
  const refused = new MeshError("permission_denied", "no rule");
  await log
    ?.layer("inbound")(failing(refused))(callWith())
    .catch(() => {});
  const reset = new TransportFailure("reset", "cut");
  await log
    ?.layer("outbound")(failing(reset))(callWith())
    .catch(() => {});
  expect(lines).toMatchObject([
    { path: "/shop.Ratings/Get", status: 200, grpc_status: "not-found", outcome: "grpc:not-found" },
    { status: 200, grpc_status: "permission-denied", outcome: "permission_denied" },
    { outcome: "connection_reset" },
  ]);
  expect(lines[2]).not.toHaveProperty("grpc_status");
});

test("a CLIENT span is named for the method, and has the status of the call", async () => {
  const { spans } = registerSdk();
  const { handler, body } = answering();
  await clientSpan(deps)(handler)(attempted({ "grpc-previous-rpc-attempts": "2" }));
  body.end({ "grpc-status": "0" });
  const [span] = spans();
  expect([span?.name, span?.status.code]).toEqual(["shop.Ratings/Get", SpanStatusCode.UNSET]);
  expect(span?.attributes).toEqual({
    "rpc.system": "grpc",
    "rpc.service": "shop.Ratings",
    "rpc.method": "Get",
    "previous-rpc-attempts": 2,
    "server.address": "ratings",
    "server.port": 9083,
    "network.peer.address": "127.0.0.1",
    "network.peer.port": 9083,
    "rpc.grpc.status_code": 0,
  });
});

test("every status but OK is an error to a client, and to a server those that are its own", async () => {
  for (let status = 0; status < 17; status++) {
    const { spans } = registerSdk();
    for (const layer of [clientSpan(deps), serverSpan(deps)]) {
      const { handler, body } = answering();
      await layer(handler)(attempted());
      body.end({ "grpc-status": String(status) });
    }
    const isError = spans().map((span) => span.status.code === SpanStatusCode.ERROR);
    expect(isError, String(status)).toEqual([status !== 0, [2, 4, 12, 13, 14, 15].includes(status)]);
    unregisterSdk();
  }
});

test("a span says in gRPC's word what was answered, and in the mesh's what the mesh failed with", async () => {
  const { spans } = registerSdk();
  const { handler, body } = answering();
  await clientSpan(deps)(handler)(attempted());
  body.end({ "grpc-status": "4" });
  await clientSpan(deps)(failing(new MeshError("attempt_timeout", "late")))(attempted()).catch(() => {});
  await clientSpan(deps)(failing(new TransportFailure("reset", "cut")))(attempted()).catch(() => {});
  const seen = spans().map(({ attributes }) => [attributes["error.type"], attributes["rpc.grpc.status_code"]]);
  expect(seen).toEqual([
    ["DEADLINE_EXCEEDED", 4],
    ["attempt_timeout", 4],
    ["connection_reset", undefined],
  ]);
});

test("a SERVER span names only methods that the server has, and is no error of it where it refused", async () => {
  const { spans } = registerSdk();
  const refused = new MeshError("permission_denied", "no rule");
  for (const route of ["/shop.Ratings/Get", ""]) {
    await serverSpan(deps)(failing(refused))(incoming(route)).catch(() => {});
  }
  expect(spans().map(({ name }) => name)).toEqual(["shop.Ratings/Get", "_OTHER"]);
  const [known, unknown] = spans();
  expect(known?.attributes).toMatchObject({
    "rpc.service": "shop.Ratings",
    "rpc.method": "Get",
    "heddle.peer_id": "spiffe://shop.example/web",
    "heddle.refused": "permission_denied",
    "rpc.grpc.status_code": 7,
  });
  expect(unknown?.attributes["rpc.service"]).toBeUndefined();
  expect(known?.status.code).toBe(SpanStatusCode.UNSET);
});
