import { expect, test } from "vitest";
import { requestOf } from "../../test/builders.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { Deadlines } from "../deadlines.ts";
import { emptyHeaders, localResponse, type MeshResponse } from "../message.ts";
import { PushBody } from "../push-body.ts";
import { concurrencyLimit } from "./concurrency-limit.ts";

function limited(maxRequests: number) {
  const inFlight = { count: 0 };
  const send = (answer: () => Promise<MeshResponse>) => concurrencyLimit(maxRequests, "reviews", inFlight)(answer)(requestOf());
  const respond = (body: PushBody) => send(() => Promise.resolve({ status: 200, headers: emptyHeaders(), body }));
  return { inFlight, send, respond };
}

test("refuses what is over the limit at once, and does not send it", async () => {
  const { inFlight, send, respond } = limited(2);
  const body = new PushBody(null);
  await respond(body);
  await respond(new PushBody(null));
  let sent = false;
  const refused = send(() => {
    sent = true;
    return Promise.resolve(localResponse(200, null));
  });
  await expect(refused).rejects.toMatchObject({
    code: "overloaded",
    status: 503,
    message: "GET http://reviews/: reviews: 2 requests in flight, limits.maxRequests is 2",
  });
  expect(sent).toBe(false);
  expect(inFlight.count).toBe(2);
  body.end(null);
  expect(inFlight.count).toBe(1);
  await respond(new PushBody(null));
});

test("the count is back at 0 after responses that were read, unread, complete at once, cut, or failed", async () => {
  const { inFlight, send, respond } = limited(100);
  const read = new PushBody(null);
  await respond(read);
  read.attach({ data() {}, end() {}, fail() {} });
  const unread = new PushBody(null);
  await respond(unread);
  const cut = new PushBody(null);
  await respond(cut);
  const abandoned = new PushBody(null);
  await respond(abandoned);
  expect(inFlight.count).toBe(4);
  await send(() => Promise.resolve(localResponse(200, "complete")));
  await expect(send(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(inFlight.count).toBe(4);
  read.end(null);
  unread.push(Buffer.from("unread"));
  unread.end(null);
  cut.fail(new Error("cut"));
  abandoned.abandon(new Error("enough"));
  expect(inFlight.count).toBe(0);
});

test("a slow reader is no load after 1 s, and its end does not count twice", async () => {
  const clock = virtualClock();
  const { inFlight, respond } = limited(1);
  const body = new PushBody(null);
  body.guard(new Deadlines(clock));
  await respond(body);
  body.push(Buffer.from("waiting"));
  clock.tick(999);
  expect(inFlight.count).toBe(1);
  clock.tick(1);
  expect(inFlight.count).toBe(0);
  body.end(null);
  expect(inFlight.count).toBe(0);
});
