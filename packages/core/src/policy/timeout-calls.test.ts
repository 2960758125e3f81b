import { expect, test } from "vitest";
import { backendOf, callOf, routeOf, snapshotOf, timeoutOf, virtualHostOf } from "../../test/builders.ts";
import { hangs, streams } from "../../test/fake-transport.ts";
import { outboundStack } from "../../test/outbound-stack.ts";
import type { TimeoutPolicy } from "../model/route.ts";
import { PushBody } from "../push-body.ts";

function stackWith(timeout: Partial<TimeoutPolicy>) {
  return outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off", timeout: timeoutOf(timeout) })] })],
      backends: [backendOf({ protocol: "grpc" })],
    }),
  );
}

const endOf = (body: PushBody) => new Promise<unknown>((resolve) => body.whenEnd(resolve));

test("a timeout that is a mere duration ends a streaming call only until its head, and is not told to the server", async () => {
  const stack = stackWith({ totalMs: 1_000 });
  const body = new PushBody(null);
  stack.transport.script("a:1", streams(body), hangs);
  await stack.send(callOf("server-stream")).response;
  await stack.clock.advance(60_000);
  expect(body.hasEnded).toBe(false);
  expect(stack.transport.sent[0]?.request.headers["grpc-timeout"]).toBeUndefined();

  const { response } = stack.send(callOf("bidi-stream"));
  await stack.clock.advance(1_000);
  await expect(response).rejects.toMatchObject({ code: "deadline_exceeded", grpcStatus: 4 });
});

test("it ends a call with one answer as a whole", async () => {
  const stack = stackWith({ totalMs: 1_000 });
  const body = new PushBody(null);
  stack.transport.script("a:1", streams(body));
  await stack.send(callOf()).response;
  await stack.clock.advance(1_000);
  expect(body.error).toMatchObject({ code: "deadline_exceeded" });
});

test("a total of its own, and the caller's deadline, hold for a stream to its end and are told", async () => {
  const totals = stackWith({ totalMs: 1_000, sparesStreams: false });
  const body = new PushBody(null);
  totals.transport.script("a:1", streams(body));
  await totals.send(callOf("server-stream")).response;
  await totals.clock.advance(1_000);
  expect(await endOf(body)).toMatchObject({ code: "deadline_exceeded" });
  expect(totals.transport.sent[0]?.request.headers["grpc-timeout"]).toBe("1000m");

  const callers = stackWith({ totalMs: 1_000 });
  const other = new PushBody(null);
  callers.transport.script("a:1", streams(other));
  await callers.send(callOf("server-stream", { deadlineAt: 5_000 })).response;
  await callers.clock.advance(4_999);
  expect(other.hasEnded).toBe(false);
  await callers.clock.advance(1);
  expect(await endOf(other)).toMatchObject({ code: "deadline_exceeded" });
  expect(callers.transport.sent[0]?.request.headers["grpc-timeout"]).toBe("5000m");
});
