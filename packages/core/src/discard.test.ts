import { expect, test } from "vitest";
import { virtualClock } from "../test/virtual-clock.ts";
import { Deadlines } from "./deadlines.ts";
import { discard } from "./discard.ts";
import { PushBody } from "./push-body.ts";

function discarding() {
  const clock = virtualClock();
  let aborts = 0;
  const body = new PushBody({ pause() {}, resume() {}, abort: () => aborts++ });
  const deadlines = new Deadlines(clock);
  return { clock, deadlines, body, aborts: () => aborts, start: () => discard({ status: 503, headers: {}, body }, deadlines) };
}

test("a short rest is read, so that its connection stays usable", () => {
  const { body, aborts, start, clock } = discarding();
  body.push(Buffer.alloc(30_000));
  start();
  body.push(Buffer.alloc(35_536));
  clock.tick(999);
  body.end(null);
  clock.tick(10_000);
  expect(aborts()).toBe(0);
  expect(body.error).toBe(null);
  expect(clock.pendingTimers).toBe(0);
});

test("more than 64 KiB is cut", () => {
  const { body, aborts, start } = discarding();
  start();
  body.push(Buffer.alloc(65_536));
  expect(aborts()).toBe(0);
  body.push(Buffer.alloc(1));
  expect(aborts()).toBe(1);
  expect(body.hasEnded).toBe(true);
});

test("more than 64 KiB that wait already are cut once", () => {
  const { body, aborts, start } = discarding();
  for (let count = 0; count < 5; count++) body.push(Buffer.alloc(40_000));
  start();
  expect(aborts()).toBe(1);
});

test("what takes longer than 1 s is cut", () => {
  const { body, aborts, start, clock } = discarding();
  start();
  body.push(Buffer.alloc(10));
  clock.tick(998);
  expect(aborts()).toBe(0);
  clock.tick(2);
  expect(aborts()).toBe(1);
  expect(body.hasEnded).toBe(true);
});

test("a complete response is let go, and one that is being read is cut", () => {
  const complete = discarding();
  complete.body.push(Buffer.alloc(10));
  complete.body.end(null);
  complete.start();
  expect(complete.aborts()).toBe(0);
  expect(complete.clock.pendingTimers).toBe(0);

  const read = discarding();
  const failures: unknown[] = [];
  read.body.attach({ data() {}, end() {}, fail: (error) => failures.push(error) });
  read.start();
  expect(read.aborts()).toBe(1);
  expect(failures).toHaveLength(1);
});
