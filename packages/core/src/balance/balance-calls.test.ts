import { expect, test } from "vitest";
import { backendOf, callOf, endpointSetOf, routeOf, snapshotOf, virtualHostOf } from "../../test/builders.ts";
import { type Answer, ends, fails, status, streams } from "../../test/fake-transport.ts";
import { type OutboundStack, outboundStack } from "../../test/outbound-stack.ts";
import type { Backend } from "../model/backend.ts";
import { DEFAULT_FAILURE } from "../model/defaults.ts";
import { PushBody } from "../push-body.ts";
import { TransportFailure } from "../transport.ts";

const OUTLIER = { consecutiveFailures: 3, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 100 };
const BREAKER = {
  engine: "native",
  consecutiveFailures: 2,
  failurePercent: null,
  minRequests: 20,
  windowMs: 10_000,
  openForMs: 1_000,
} as const;

function stackWith(backend: Partial<Backend> = {}, addresses: readonly string[] = ["a:1", "b:1"]): OutboundStack {
  return outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off" })] })],
      backends: [backendOf({ protocol: "grpc", ...backend })],
      endpointSets: [endpointSetOf("reviews", addresses)],
    }),
  );
}

const stateOf = (stack: OutboundStack) => stack.dataPlane.backendState("reviews");
const isEjected = (stack: OutboundStack) => stateOf(stack).endpoints.all.some(({ status }) => status === "ejected");

/** A head at once; message and status a millisecond later. */
const late =
  (grpcStatus: number, { clock }: OutboundStack): Answer =>
  (request) => {
    const body = new PushBody(null);
    clock.setTimer(1, () => {
      body.push(Buffer.from("message"));
      body.end({ "grpc-status": String(grpcStatus) });
    });
    return streams(body)(request);
  };

test("an endpoint is ejected for what its calls end with, whether that comes at once or in late trailers", async () => {
  const atOnce = (grpcStatus: number) => ends(grpcStatus);
  for (const answer of [atOnce, late]) {
    for (const grpcStatus of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]) {
      const stack = stackWith({ outlier: OUTLIER });
      stack.transport.script("a:1", answer(grpcStatus, stack));
      stack.transport.script("b:1", answer(0, stack));
      for (let count = 0; count < 8; count++) {
        await stack.send(callOf()).response;
        await stack.clock.advance(1);
      }
      expect(isEjected(stack), `${answer.name} ${grpcStatus}`).toBe([2, 4, 13, 14, 15].includes(grpcStatus));
    }
  }
});

test("failure.grpc says what counts in place of that", async () => {
  const failure = { ...DEFAULT_FAILURE, grpc: ["not-found"] as const };
  for (const [grpcStatus, expected] of [
    [5, true],
    [14, false],
  ] as const) {
    const stack = stackWith({ outlier: OUTLIER, failure });
    stack.transport.script("a:1", late(grpcStatus, stack));
    for (let count = 0; count < 8; count++) {
      await stack.send(callOf()).response;
      await stack.clock.advance(1);
    }
    expect(isEjected(stack), String(grpcStatus)).toBe(expected);
  }
});

test("a broken call is a failure, and keeps the status that gRPC has for it", async () => {
  const stack = stackWith({ outlier: { ...OUTLIER, consecutiveFailures: 1 } });
  const body = new PushBody(null);
  stack.transport.script("a:1", streams(body));
  stack.transport.script("b:1", streams(body));
  const { request, response } = stack.send(callOf());
  await response;
  body.fail(new TransportFailure("reset", "RST_STREAM", { grpcStatus: 8 }));
  expect(request.context.attempts[0]).toMatchObject({ outcome: "reset", grpcStatus: 8 });
  expect(body.error).toMatchObject({ code: "connection_reset", grpcStatus: 8 });
  expect(isEjected(stack)).toBe(true);
});

test("the breaker opens by what calls end with, and a probe with one answer is judged by its end", async () => {
  const stack = stackWith({ breaker: BREAKER }, ["a:1"]);
  stack.transport.script("a:1", late(14, stack));
  for (let count = 0; count < 2; count++) {
    await stack.send(callOf()).response;
    await stack.clock.advance(1);
  }
  await expect(stack.send(callOf()).response).rejects.toMatchObject({ code: "breaker_open", grpcStatus: 14 });
  await stack.clock.advance(1_000);
  await stack.send(callOf()).response;
  await stack.clock.advance(1);
  await expect(stack.send(callOf()).response).rejects.toMatchObject({ code: "breaker_open" });
});

test("a probe that streams is over with its head", async () => {
  const stack = stackWith({ breaker: BREAKER }, ["a:1"]);
  stack.transport.script("a:1", fails("reset"), fails("reset"), streams(new PushBody(null)), ends(0));
  for (let count = 0; count < 2; count++) await stack.send(callOf()).response.catch(() => {});
  await stack.clock.advance(1_000);
  await stack.send(callOf("server-stream")).response;
  expect((await stack.send(callOf()).response).body.trailers?.["grpc-status"]).toBe("0");
});

test("an endpoint that drains may say so in the trailers of a call that fails at once", async () => {
  const stack = stackWith();
  stack.transport.script("a:1", ends(14, { "x-heddle-draining": "1" }), ends(0));
  for (let count = 0; count < 2; count++) await stack.send(callOf()).response;
  const before = stack.transport.sent.length;
  for (let count = 0; count < 4; count++) await stack.send(callOf()).response;
  expect(new Set(stack.transport.sent.slice(before).map(({ address }) => address))).toEqual(new Set(["b:1"]));
});

test("a reader that stalls holds a call for as long as it likes, and a request for 30 s", async () => {
  for (const [parts, isCut] of [
    [callOf("server-stream"), false],
    [{}, true],
  ] as const) {
    const stack = stackWith({ protocol: isCut ? "http1" : "grpc" }, ["a:1"]);
    const body = new PushBody({ pause() {}, resume() {}, abort() {} });
    stack.transport.script("a:1", streams(body));
    await stack.send(parts).response;
    body.push(Buffer.from("waits"));
    await stack.clock.advance(600_000);
    expect(body.hasEnded).toBe(isCut);
    expect(stateOf(stack).endpoints.all[0]?.inFlight).toBe(0);
  }
});

test("requests are judged by their status, calls or not", async () => {
  const stack = stackWith({ protocol: "http1", outlier: OUTLIER });
  stack.transport.script("a:1", status(503));
  for (let count = 0; count < 8; count++) await stack.send().response;
  expect(isEjected(stack)).toBe(true);
});
