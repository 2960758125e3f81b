import { expect, test } from "vitest";
import { answering, inboundPolicy, inboundStack } from "../../../test/inbound/inbound-stack.ts";
import { pathIs, policyOf, ruleOf, textIs } from "../test/authorization/builders.ts";
import { currentScope } from "./context.ts";
import { MeshError } from "./errors.ts";
import { context } from "./inbound-call.ts";
import { EXPECTED_TIMEOUT_HEADER } from "./inbound-deadline.ts";
import { InboundRefusal } from "./inbound-refusal.ts";
import type { Layer } from "./layer.ts";
import type { MeshResponse } from "./message.ts";
import type { InboundAuthorization } from "./model/authorization.ts";
import { PushBody } from "./push-body.ts";

const trusting = inboundPolicy({ trustHeaders: true });
const never = () => new Promise<MeshResponse>(() => {});
const shown = ({ status, headers, body }: MeshResponse) => ({ status, headers: { ...headers }, trailers: { ...body.trailers } });

test("a call inherits the deadline of grpc-timeout, and no other header's", async () => {
  const stack = inboundStack({ policy: trusting });
  const seen: (number | undefined)[] = [];
  const app = async () => {
    seen.push(currentScope()?.deadlineAt, context()?.remainingMs());
    return answering()();
  };
  await stack.serve(stack.start({ kind: "unary", headers: { "grpc-timeout": "250m", [EXPECTED_TIMEOUT_HEADER]: "9" }, app }));
  await stack.serve(stack.start({ kind: "unary", headers: { [EXPECTED_TIMEOUT_HEADER]: "9" }, app }));
  await stack.serve(stack.start({ headers: { "grpc-timeout": "250m" }, app }));
  const none = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  expect(seen).toEqual([250, 250, ...none, ...none]);
});

test("what is no grpc-timeout, one that is too long to matter, and that of a caller that is not trusted bind nothing", async () => {
  for (const [policy, value] of [
    [trusting, "250"],
    [trusting, "-1m"],
    [trusting, "123456789m"],
    [trusting, "99999999H"],
    [inboundPolicy(), "250m"],
  ] as const) {
    const stack = inboundStack({ policy });
    const started = stack.start({ kind: "unary", headers: { "grpc-timeout": value } });
    expect((await stack.serve(started)).status).toBe(200);
    expect(started.inbound.deadline).toBeUndefined();
  }
});

test("a call that has not been answered by its deadline ends with DEADLINE_EXCEEDED, and its handler is told", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ kind: "unary", headers: { "grpc-timeout": "250m" }, app: never });
  const { signal } = started.inbound;
  const reply = stack.serve(started);
  await stack.clock.advance(249);
  expect(signal.aborted).toBe(false);
  await stack.clock.advance(1);
  expect(shown(await reply)).toEqual({
    status: 200,
    headers: { "content-type": "application/grpc", "x-heddle-error": "deadline_exceeded" },
    trailers: { "grpc-status": "4", "grpc-message": "deadline_exceeded" },
  });
  expect([signal.aborted, stack.inFlight.count]).toEqual([true, 0]);
  expect(signal.reason).toMatchObject({ code: "deadline_exceeded" });
});

test("a call in the midst of its answer is broken off at its deadline", async () => {
  const stack = inboundStack({ policy: trusting });
  const aborted: unknown[] = [];
  const body = new PushBody({ pause() {}, resume() {}, abort: (reason) => aborted.push(reason) });
  await stack.serve(stack.start({ kind: "server-stream", headers: { "grpc-timeout": "1S" }, app: answering(body) }));
  await stack.clock.advance(1_000);
  expect(body.error).toMatchObject({ code: "deadline_exceeded", grpcStatus: 4 });
  expect(aborted).toEqual([body.error]);
  expect(stack.inFlight.count).toBe(0);
});

test("an answer that comes after the deadline goes nowhere, and one that came before is left alone", async () => {
  const stack = inboundStack({ policy: trusting });
  const body = new PushBody({ pause() {}, resume() {}, abort() {} });
  let answer: (response: MeshResponse) => void = () => {};
  const app = () => new Promise<MeshResponse>((resolve) => (answer = resolve));
  const reply = stack.serve(stack.start({ kind: "unary", headers: { "grpc-timeout": "10m" }, app }));
  await stack.clock.advance(10);
  answer({ status: 200, headers: {}, body });
  await stack.clock.advance(0);
  expect((await reply).body.trailers?.["grpc-status"]).toBe("4");
  expect(body.error).toMatchObject({ code: "deadline_exceeded" });

  const started = stack.start({ kind: "unary", headers: { "grpc-timeout": "10m" } });
  await stack.serve(started);
  await stack.clock.advance(10);
  expect(started.request.cancel.isCancelled).toBe(false);
});

test("an application of HTTP is never cut", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "10" }, app: never });
  void stack.serve(started);
  await stack.clock.advance(1_000);
  expect([started.request.cancel.isCancelled, stack.inFlight.count]).toEqual([false, 1]);
});

test("a handler that throws fails its call, and no deadline comes after it", async () => {
  const stack = inboundStack({ policy: trusting });
  const app = () => {
    throw new Error("bug");
  };
  const started = stack.start({ kind: "unary", headers: { "grpc-timeout": "10m" }, app });
  await expect(stack.serve(started)).rejects.toThrow("bug");
  await stack.clock.advance(10);
  expect(started.request.cancel.isCancelled).toBe(false);
});

test.each([
  [new MeshError("unauthenticated", "the token of user 4711 is too old"), "16", "unauthenticated"],
  [new MeshError("permission_denied", "secret"), "7", "permission_denied"],
  [new MeshError("protocol_error", "secret", { grpcStatus: 8 }), "8", "protocol_error"],
  [new InboundRefusal("unauthenticated", "secret", { body: "no token", headers: { "www-authenticate": "Bearer" } }), "16", "no token"],
])("a refused call ends at once with the status of what refused it, and nothing of its message: %s", async (refused, status, message) => {
  const refusing: Layer = () => () => Promise.reject(refused);
  const stack = inboundStack({ layers: [refusing] });
  const reply = await stack.serve(stack.start({ kind: "unary" }));
  expect([reply.status, reply.body.hasEnded, reply.headers["x-heddle-error"]]).toEqual([200, true, refused.code]);
  expect({ ...reply.body.trailers }).toEqual({ "grpc-status": status, "grpc-message": message });
  expect(reply.headers["www-authenticate"]).toBe(refused instanceof InboundRefusal ? "Bearer" : undefined);
});

test("rules decide about a call by its path, and by the method that every call has", async () => {
  const authorization = (path: string, method = "POST"): InboundAuthorization => ({
    policies: [policyOf({ action: "allow", rules: [ruleOf({ to: [[pathIs(path), textIs("method", method)]] })] })],
    pathNormalisation: "base",
    trustedHops: 0,
  });
  const statusOf = async (config: InboundAuthorization) => {
    const stack = inboundStack({ policy: inboundPolicy({ authorization: config }) });
    const reply = await stack.serve(stack.start({ kind: "unary" }));
    return reply.body.trailers?.["grpc-status"] ?? "served";
  };
  expect(await statusOf(authorization("/shop.Ratings/Get"))).toBe("served");
  expect(await statusOf(authorization("/shop.Ratings/List"))).toBe("7");
  expect(await statusOf(authorization("/shop.Ratings/Get", "GET"))).toBe("7");
});
