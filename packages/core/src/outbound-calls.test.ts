import { expect, test } from "vitest";
import { backendOf, callOf, endpointSetOf, requestOf, retryOf, routeOf, snapshotOf, to, virtualHostOf } from "../test/builders.ts";
import { type Answer, ends, fails } from "../test/fake-transport.ts";
import { outboundStack } from "../test/outbound-stack.ts";
import type { MeshResponse } from "./message.ts";
import type { FallbackPolicy, FaultPolicy, Route } from "./model/route.ts";

function stackWith(route: Partial<Route>) {
  return outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off", ...route })] })],
      backends: [backendOf({ protocol: "grpc" }), backendOf({ name: "other", protocol: "grpc" })],
      endpointSets: [endpointSetOf("reviews", ["a:1"]), endpointSetOf("other", ["b:1"])],
    }),
  );
}

const shown = ({ status, body }: MeshResponse) => ({ status, trailers: { ...body.trailers } });
const ALL = { numerator: 100, denominator: 100 } as const;
const addresses = ({ transport }: ReturnType<typeof stackWith>) => transport.sent.map(({ address }) => address);

test("what a route answers itself, a call gets as a status of gRPC", async () => {
  const respond = stackWith({ action: { kind: "respond", status: 404, body: "no such shop", headers: { "x-by": "mesh" } } });
  expect(shown(await respond.send(callOf()).response)).toEqual({
    status: 200,
    trailers: { "grpc-status": "12", "grpc-message": "no such shop", "x-by": "mesh" },
  });
  const redirect = stackWith({
    action: { kind: "redirect", status: 308, scheme: null, host: "elsewhere", port: null, path: null, stripQuery: false },
  });
  expect(shown(await redirect.send(callOf()).response).trailers).toEqual({
    "grpc-status": "2",
    location: "http://elsewhere/shop.Reviews/List",
  });
});

const abort = (parts: Partial<NonNullable<FaultPolicy["abort"]>>, byHeader = false): Partial<Route> => ({
  fault: { delay: null, abort: { fraction: ALL, status: null, grpc: null, ...parts }, byHeader },
});

test("an abort ends a call with its status of gRPC, or with what its status means, and nothing is sent", async () => {
  for (const [parts, status] of [
    [{ grpc: "data-loss" as const }, "15"],
    [{ status: 503 }, "14"],
    [{ status: 429 }, "14"],
    [{ status: 500 }, "2"],
  ] as const) {
    const stack = stackWith(abort(parts));
    expect(shown(await stack.send(callOf()).response).trailers).toEqual({
      "grpc-status": status,
      "grpc-message": "fault injected by the mesh",
      "x-heddle-fault": "abort",
    });
    expect(stack.transport.sent).toEqual([]);
  }
});

test("an abort with a status of gRPC leaves requests alone", async () => {
  const stack = outboundStack(snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf(abort({ grpc: "internal" }))] })] }));
  expect((await stack.send().response).status).toBe(200);
});

test("a call may ask for its abort where the document lets it, in numbers of gRPC too", async () => {
  const asked = async (headers: Record<string, string>, byHeader = true) =>
    shown(await stackWith({ fault: { delay: null, abort: null, byHeader } }).send(callOf("unary", { headers })).response).trailers[
      "grpc-status"
    ];
  expect(await asked({ "x-envoy-fault-abort-grpc-request": "7" })).toBe("7");
  expect(await asked({ "x-envoy-fault-abort-request": "401" })).toBe("16");
  for (const value of ["17", "-1", "x", "7.5"]) expect(await asked({ "x-envoy-fault-abort-grpc-request": value })).toBeUndefined();
  expect(await asked({ "x-envoy-fault-abort-grpc-request": "7" }, false)).toBeUndefined();
});

const fallback = (on: FallbackPolicy["on"], action: FallbackPolicy["action"] = { kind: "forward", backend: "other" }): Partial<Route> => ({
  fallback: { on, action },
  retry: retryOf({ maxRetries: 0, on: ["grpc:aborted"] }),
});

test("a fallback answers in place of what a call ends with, made by its endpoint or by the mesh", async () => {
  for (const [answer, outcome] of [
    [ends(14), "grpc:unavailable"],
    [fails("reset"), "connection_reset"],
  ] as const) {
    const stack = stackWith(fallback(["grpc:unavailable"]));
    stack.transport.script("a:1", answer);
    stack.transport.script("b:1", ends(0, { "x-by": "other" }));
    const { request, response } = stack.send(callOf());
    expect(shown(await response).trailers).toEqual({ "grpc-status": "0", "x-by": "other" });
    expect(addresses(stack)).toEqual(["a:1", "b:1"]);
    expect(request.context.outcome).toBe(outcome);
  }
  const other = stackWith(fallback(["grpc:unavailable"]));
  other.transport.script("a:1", ends(5));
  expect(shown(await other.send(callOf()).response).trailers["grpc-status"]).toBe("5");
});

test("what a fallback stands in for is kept in words of gRPC", async () => {
  const stack = stackWith(fallback(["grpc:not-found"], { kind: "respond", status: 503, body: "later", headers: {} }));
  stack.transport.script("a:1", ends(5));
  const { request, response } = stack.send(callOf());
  expect(shown(await response).trailers).toEqual({ "grpc-status": "14", "grpc-message": "later" });
  expect(request.context.outcome).toBe("grpc:not-found");
});

test("a call that may have been acted on goes to a fallback's service only where a grpc: condition says that it may be repeated", async () => {
  const stack = stackWith({ ...fallback(["grpc:unavailable"]), retry: retryOf({ methods: ["POST"] }) });
  stack.transport.script("a:1", ends(14));
  expect(shown(await stack.send(callOf()).response).trailers["grpc-status"]).toBe("14");
  expect(addresses(stack)).toEqual(["a:1"]);
});

test("a mirror gets the messages of a call one by one", async () => {
  const stack = stackWith({ mirrors: [{ backend: "other", fraction: ALL }] });
  const seen = new Map<string, number[]>();
  const reading =
    (address: string): Answer =>
    async ({ body, context }) => {
      const lengths: number[] = [];
      for await (const chunk of body as AsyncIterable<Uint8Array>) lengths.push(chunk.length);
      seen.set(`${address} ${context.rpc?.kind}`, lengths);
      return ends(0)(requestOf());
    };
  stack.transport.script("a:1", reading("a:1"));
  stack.transport.script("b:1", reading("b:1"));
  async function* messages() {
    for (const length of [2, 0, 3]) yield new Uint8Array(length);
  }
  await stack.send(callOf("client-stream", { body: messages() })).response;
  await stack.clock.advance(0);
  expect(Object.fromEntries(seen)).toEqual({ "a:1 client-stream": [2, 0, 3], "b:1 client-stream": [2, 0, 3] });
});

test("calls of one route are split as requests are", async () => {
  const stack = stackWith({ action: { kind: "forward", to: [to("reviews", 0), to("other", 1)], rewrite: null } });
  await stack.send(callOf()).response;
  expect(addresses(stack)).toEqual(["b:1"]);
});
