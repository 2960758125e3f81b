import { expect, test } from "vitest";
import { backendOf, callOf, endpointSetOf, retryOf, routeOf, snapshotOf, timeoutOf, virtualHostOf } from "../../test/builders.ts";
import { type Answer, ends, fails, hangs, streams } from "../../test/fake-transport.ts";
import { outboundStack } from "../../test/outbound-stack.ts";
import type { Backend } from "../model/backend.ts";
import type { Route } from "../model/route.ts";
import { PushBody } from "../push-body.ts";

const RETRY = retryOf({ on: ["grpc:unavailable"] });

function stackWith(route: Partial<Route> = {}, backend: Partial<Backend> = {}) {
  const stack = outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: RETRY, ...route })] })],
      backends: [backendOf({ protocol: "grpc", ...backend })],
      endpointSets: [endpointSetOf("reviews", ["a:1", "b:1", "c:1"])],
    }),
  );
  const everywhere = (...answers: Answer[]) => {
    let next = 0;
    const answer: Answer = (request) => (answers[Math.min(next++, answers.length - 1)] as Answer)(request);
    for (const address of ["a:1", "b:1", "c:1"]) stack.transport.script(address, answer);
  };
  const headersSent = (name: string) => stack.transport.sent.map(({ request }) => request.headers[name]);
  return { ...stack, everywhere, headersSent };
}

test("a call that fails at once is tried again elsewhere, and its last failure is the caller's", async () => {
  const stack = stackWith();
  stack.everywhere(ends(14));
  const { request, response } = stack.send(callOf());
  await stack.clock.advance(0);
  expect((await response).body.trailers?.["grpc-status"]).toBe("14");
  expect(new Set(stack.transport.sent.map(({ address }) => address))).toEqual(new Set(["a:1", "b:1", "c:1"]));
  expect(request.context.attempts.map(({ grpcStatus, why }) => [grpcStatus, why])).toEqual([
    [14, "retried"],
    [14, "retried"],
    [14, "2 of 2 retries used"],
  ]);
});

test("a call is not repeated once its head came, however it ends", async () => {
  const stack = stackWith();
  const body = new PushBody(null);
  stack.everywhere(streams(body));
  const { request, response } = stack.send(callOf());
  await response;
  body.end({ "grpc-status": "14" });
  await stack.clock.advance(1_000);
  expect(stack.transport.sent).toHaveLength(1);
  expect(request.context.attempts[0]).toMatchObject({ outcome: "response", grpcStatus: 14 });
});

test("a status that nobody named, and a success, are final", async () => {
  for (const status of [0, 5, 13]) {
    const stack = stackWith();
    stack.everywhere(ends(status));
    await stack.send(callOf()).response;
    expect(stack.transport.sent).toHaveLength(1);
  }
});

test("the server hears how many tries came before, transparent ones aside", async () => {
  const stack = stackWith();
  stack.everywhere(fails("refused-stream"), ends(14), ends(14), ends(0));
  await Promise.all([stack.send(callOf()).response, stack.clock.advance(0)]);
  expect(stack.headersSent("grpc-previous-rpc-attempts")).toEqual([undefined, undefined, "1", "2"]);
  expect(stack.headersSent("x-envoy-attempt-count")).toEqual([undefined, "2", "3", "4"]);
});

test("the server hears what is left of the deadline in gRPC's header alone", async () => {
  const stack = stackWith({ timeout: timeoutOf({ totalMs: 2_000 }) });
  await stack.send(callOf()).response;
  expect(stack.headersSent("grpc-timeout")).toEqual(["2000m"]);
  expect(stack.headersSent("x-envoy-expected-rq-timeout-ms")).toEqual([undefined]);
});

test("a server's pushback is waited for, a negative one ends the tries", async () => {
  const stack = stackWith();
  stack.everywhere(ends(14, { "grpc-retry-pushback-ms": "300" }), ends(0));
  const { response } = stack.send(callOf());
  await stack.clock.advance(299);
  expect(stack.transport.sent).toHaveLength(1);
  await stack.clock.advance(1);
  expect((await response).body.trailers?.["grpc-status"]).toBe("0");

  const refusing = stackWith();
  refusing.everywhere(ends(14, { "grpc-retry-pushback-ms": "-1" }));
  const { request } = refusing.send(callOf());
  await refusing.clock.advance(10_000);
  expect(request.context.attempts.map(({ why }) => why)).toEqual(["the server asked not to be tried again"]);
});

test("what was retried further down, as the trailers say, is not retried here", async () => {
  const stack = stackWith();
  stack.everywhere(ends(14, { "x-envoy-attempt-count": "3" }));
  const { request, response } = stack.send(callOf());
  await response;
  expect(request.context.attempts.map(({ why }) => why)).toEqual(["already retried further down"]);
});

test("a timeout of one try is met by grpc:deadline-exceeded", async () => {
  const stack = stackWith({ retry: retryOf({ on: ["grpc:deadline-exceeded"], perTryTimeoutMs: 100 }) });
  stack.everywhere(hangs, ends(0));
  const { response } = stack.send(callOf());
  await stack.clock.advance(100);
  expect((await response).body.trailers?.["grpc-status"]).toBe("0");
});

test("messages are sent again one by one, also those without bytes", async () => {
  const stack = stackWith();
  const seen: number[][] = [];
  const read =
    (answer: Answer): Answer =>
    async (request) => {
      const lengths: number[] = [];
      for await (const chunk of request.body as AsyncIterable<Uint8Array>) lengths.push(chunk.length);
      seen.push(lengths);
      return answer(request);
    };
  stack.everywhere(read(ends(14)), read(ends(0)));
  async function* messages() {
    for (const length of [3, 0, 0, 5]) yield new Uint8Array(length);
  }
  await Promise.all([stack.send(callOf("client-stream", { body: messages() })).response, stack.clock.advance(0)]);
  expect(seen).toEqual([
    [3, 0, 0, 5],
    [3, 0, 0, 5],
  ]);
});

test("a call to a backend of another protocol, and a request to one of gRPC, are refused before anything is sent", async () => {
  const http = stackWith({}, { protocol: "http2" });
  await expect(http.send(callOf()).response).rejects.toMatchObject({
    code: "protocol_error",
    grpcStatus: 9,
    message: expect.stringContaining("reviews has protocol: http2, and this is a gRPC call; say protocol: grpc"),
  });
  const grpc = stackWith();
  await expect(grpc.send().response).rejects.toMatchObject({
    code: "protocol_error",
    message: expect.stringContaining("reviews has protocol: grpc, and this is no gRPC call"),
  });
  expect([...http.transport.sent, ...grpc.transport.sent]).toEqual([]);
});
