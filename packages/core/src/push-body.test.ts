import fc from "fast-check";
import { expect, test } from "vitest";
import { virtualClock } from "../test/virtual-clock.ts";
import { Deadlines } from "./deadlines.ts";
import type { HeaderMap } from "./message.ts";
import { ABANDONED_MS, BODY_BUFFER_BYTES, type BodySink, PushBody, SLOW_READER_MS } from "./push-body.ts";

/** Writes down what each side of a body was told. */
function recorded() {
  const source: string[] = [];
  const sink: string[] = [];
  const body = new PushBody({
    pause: () => source.push("pause"),
    resume: () => source.push("resume"),
    abort: (reason) => source.push(`abort ${reason instanceof Error ? reason.message : String(reason)}`),
  });
  const reader: BodySink = {
    data: (chunk) => sink.push(Buffer.from(chunk).toString()),
    end: (trailers) => sink.push(trailers ? `end ${JSON.stringify(trailers)}` : "end"),
    fail: (error) => sink.push(`fail ${error instanceof Error ? error.message : String(error)}`),
  };
  return { body, reader, source, sink };
}

const bytes = (text: string) => Buffer.from(text);
const many = (count: number) => Buffer.alloc(count);

test("hands on at once what comes while it is read, then the end with its trailers", () => {
  const { body, reader, sink } = recorded();
  body.attach(reader);
  body.push(bytes("a"));
  body.push(bytes("b"));
  expect(sink).toEqual(["a", "b"]);
  body.end({ "grpc-status": "0" } as HeaderMap);
  expect(sink).toEqual(["a", "b", 'end {"grpc-status":"0"}']);
});

test("keeps what comes before a reader is there, and delivers it before attach returns", () => {
  const { body, reader, sink } = recorded();
  body.push(bytes("a"));
  body.push(bytes("b"));
  body.end(null);
  expect(body.hasEnded).toBe(true);
  body.attach(reader);
  expect(sink).toEqual(["a", "b", "end"]);
});

test("an unread body smaller than the buffer ends, and never pauses its source", () => {
  const { body, source } = recorded();
  const ends: unknown[] = [];
  body.whenEnd((error) => ends.push(error));
  body.push(many(BODY_BUFFER_BYTES - 1));
  body.end(null);
  expect(ends).toEqual([null]);
  expect(source).toEqual([]);
});

test("the source is paused once 256 KiB wait, and resumed when all of it was read", () => {
  expect(BODY_BUFFER_BYTES).toBe(262_144);
  const { body, reader, source } = recorded();
  body.push(many(BODY_BUFFER_BYTES - 1));
  expect(source).toEqual([]);
  body.push(many(1));
  expect(source).toEqual(["pause"]);
  body.push(many(10));
  expect(source).toEqual(["pause"]);
  body.attach(reader);
  expect(source).toEqual(["pause", "resume"]);
});

test("what was read leaves the buffer: only what waits counts against its bound", () => {
  const { body, source } = recorded();
  let reads = 0;
  body.attach({
    data: () => {
      if (++reads % 2 === 1) body.pause();
    },
    end() {},
    fail() {},
  });
  for (let round = 0; round < 10; round++) {
    body.push(many(BODY_BUFFER_BYTES / 2 - 1));
    body.push(many(BODY_BUFFER_BYTES / 2 - 1));
    body.resume();
  }
  expect(source).toEqual([]);
});

test("a paused reader gets nothing until it resumes, and then everything in order", () => {
  const { body, reader, sink } = recorded();
  body.attach(reader);
  body.pause();
  body.push(bytes("a"));
  body.push(bytes("b"));
  body.end(null);
  expect(sink).toEqual([]);
  body.resume();
  expect(sink).toEqual(["a", "b", "end"]);
});

test("a body has one reader", () => {
  const { body, reader } = recorded();
  body.attach(reader);
  expect(() => body.attach(reader)).toThrow(TypeError);
});

test("an error overtakes bytes that wait for a paused reader, which gets nothing after it", () => {
  const { body, reader, sink } = recorded();
  body.attach(reader);
  body.pause();
  body.push(bytes("a"));
  body.fail(new Error("cut"));
  expect(sink).toEqual(["fail cut"]);
  body.resume();
  expect(sink).toEqual(["fail cut"]);
});

test("a reader that gives up within data gets no more data", () => {
  const { body, sink, source } = recorded();
  body.push(bytes("a"));
  body.push(bytes("b"));
  body.attach({
    data: (chunk) => {
      sink.push(Buffer.from(chunk).toString());
      body.abandon(new Error("enough"));
    },
    end: () => sink.push("end"),
    fail: () => sink.push("fail"),
  });
  expect(sink).toEqual(["a", "fail"]);
  expect(source).toEqual(["abort enough"]);
});

test("a reader that pauses and resumes within data gets every chunk, in order, before the end", () => {
  const { body, sink } = recorded();
  body.push(bytes("a"));
  body.push(bytes("b"));
  body.push(bytes("c"));
  body.end(null);
  body.attach({
    data: (chunk) => {
      body.pause();
      sink.push(Buffer.from(chunk).toString());
      body.resume();
    },
    end: () => sink.push("end"),
    fail: () => sink.push("fail"),
  });
  expect(sink).toEqual(["a", "b", "c", "end"]);
});

test("what the source pushes while waiting bytes are delivered comes after them", () => {
  const { body, sink } = recorded();
  body.push(bytes("a"));
  body.push(bytes("b"));
  body.attach({
    data: (chunk) => {
      if (sink.push(Buffer.from(chunk).toString()) === 1) body.push(bytes("c"));
    },
    end: () => sink.push("end"),
    fail: () => sink.push("fail"),
  });
  body.end(null);
  expect(sink).toEqual(["a", "b", "c", "end"]);
});

test("nothing counts after the end", () => {
  const { body, reader, sink } = recorded();
  body.attach(reader);
  body.end(null);
  body.push(bytes("a"));
  body.fail(new Error("late"));
  body.end(null);
  body.abandon(new Error("late"));
  expect(sink).toEqual(["end"]);
  expect(body.error).toBe(null);
});

test("abandoning a running body aborts its exchange; a complete one is only forgotten", () => {
  const running = recorded();
  running.body.abandon(new Error("enough"));
  expect(running.source).toEqual(["abort enough"]);
  expect(running.body.hasEnded).toBe(true);

  const complete = recorded();
  complete.body.push(bytes("a"));
  complete.body.end(null);
  complete.body.abandon(new Error("enough"));
  complete.body.attach(complete.reader);
  expect(complete.source).toEqual([]);
  expect(complete.body.error).toBe(null);
  expect(complete.sink).toEqual(["end"]);
});

test("an error is translated before anybody hears of it, whether it comes later or came already", () => {
  const later = recorded();
  later.body.attach(later.reader);
  later.body.translateError((error) => new Error(`at a:1: ${(error as Error).message}`));
  const heard: unknown[] = [];
  later.body.whenEnd((error) => heard.push((error as Error).message));
  later.body.fail(new Error("cut"));
  expect(later.sink).toEqual(["fail at a:1: cut"]);
  expect(heard).toEqual(["at a:1: cut"]);

  const before = recorded();
  before.body.fail(new Error("cut"));
  before.body.translateError((error) => new Error(`at a:1: ${(error as Error).message}`));
  expect((before.body.error as Error).message).toBe("at a:1: cut");

  const well = recorded();
  well.body.translateError(() => new Error("never"));
  well.body.end(null);
  expect(well.body.error).toBe(null);
});

test("whoever waits for the end is told exactly once, also when it asks afterwards", () => {
  const { body } = recorded();
  const ends: string[] = [];
  body.whenEnd((error) => ends.push(`before ${error}`));
  body.whenEnd((error) => ends.push(`too ${error}`));
  body.end(null);
  body.fail(new Error("late"));
  body.whenEnd((error) => ends.push(`after ${error}`));
  expect(ends).toEqual(["before null", "too null", "after null"]);
});

function guarded(cutAbandoned = true) {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const all = recorded();
  const told: string[] = [];
  all.body.whenReleased(() => told.push(`released ${clock.now()}`));
  all.body.whenEnd((error) => told.push(`ended ${clock.now()} ${(error as { code?: string } | null)?.code ?? error}`));
  all.body.guard(deadlines, cutAbandoned);
  return { ...all, clock, deadlines, told };
}

test("load ends with the body where the reader keeps up, however long the server takes", () => {
  const { body, reader, clock, told } = guarded();
  body.attach(reader);
  clock.tick(60_000);
  body.push(bytes("a"));
  clock.tick(60_000);
  expect(told).toEqual([]);
  body.end(null);
  expect(told).toEqual(["released 120000", "ended 120000 null"]);
});

test("a reader that lets bytes wait for 1 s is no longer load, and after 30 s it is cut with body_abandoned", () => {
  expect([SLOW_READER_MS, ABANDONED_MS]).toEqual([1_000, 30_000]);
  const { body, clock, told, source } = guarded();
  clock.tick(500);
  body.push(bytes("a"));
  clock.tick(999);
  expect(told).toEqual([]);
  clock.tick(1);
  expect(told).toEqual(["released 1500"]);
  clock.tick(28_999);
  expect(body.hasEnded).toBe(false);
  clock.tick(1);
  expect(told).toEqual(["released 1500", "ended 30500 body_abandoned"]);
  expect(source).toHaveLength(1);
  clock.tick(60_000);
  expect(clock.pendingTimers).toBe(0);
});

test("bytes that waited before the guard count from the guard on", () => {
  const clock = virtualClock();
  const { body } = recorded();
  body.push(bytes("a"));
  const told: number[] = [];
  body.whenReleased(() => told.push(clock.now()));
  clock.tick(5_000);
  body.guard(new Deadlines(clock));
  clock.tick(5_000);
  expect(told).toEqual([6_000]);
});

test("a reader that catches up in time is never cut", () => {
  const { body, reader, clock, told } = guarded();
  body.attach(reader);
  for (let round = 0; round < 10; round++) {
    body.pause();
    body.push(bytes("a"));
    clock.tick(20_000);
    body.resume();
  }
  body.end(null);
  expect(told).toEqual(["released 1000", "ended 200000 null"]);
});

test("a reader that takes a chunk now and then is slow but has not stalled: it is not cut", () => {
  const { body, clock, told } = guarded();
  body.attach({ data: () => body.pause(), end() {}, fail() {} });
  for (let round = 0; round < 6; round++) body.push(bytes("x"));
  for (let round = 0; round < 4; round++) {
    clock.tick(20_000);
    expect(told).toEqual(["released 1000"]);
    body.resume();
  }
  expect(body.hasEnded).toBe(false);
});

test("a reader that stalls after it had made progress is cut 30 s after its last step", () => {
  const { body, clock, told } = guarded();
  body.attach({ data: () => body.pause(), end() {}, fail() {} });
  for (let round = 0; round < 4; round++) body.push(bytes("x"));
  clock.tick(20_000);
  body.resume();
  clock.tick(29_999);
  expect(body.hasEnded).toBe(false);
  clock.tick(1);
  expect(told).toEqual(["released 1000", "ended 50000 body_abandoned"]);
});

test("where backpressure is meant to hold, a slow reader is released but never cut", () => {
  const { body, clock, told } = guarded(false);
  body.push(bytes("a"));
  clock.tick(3_600_000);
  expect(told).toEqual(["released 1000"]);
  expect(body.hasEnded).toBe(false);
});

test("however pushes, pauses and resumes alternate, no byte is lost, repeated or out of order, and the end comes last and once", () => {
  const step = fc.constantFrom("push" as const, "push" as const, "pause" as const, "resume" as const, "attach" as const, "wait" as const);
  const inside = fc.constantFrom("nothing" as const, "pause" as const, "pause-resume" as const, "push" as const);
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.array(inside, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      (steps, insides, fails) => {
        const clock = virtualClock();
        const paused: boolean[] = [false];
        const body = new PushBody({
          pause: () => paused.push(true),
          resume: () => paused.push(false),
          abort: () => {},
        });
        body.guard(new Deadlines(clock), false);
        let next = 0;
        const got: (number | string)[] = [];
        let reaction = 0;
        // Big chunks, so that the buffer's bound plays along.
        const push = () => {
          const chunk = Buffer.alloc(100_000);
          chunk.writeUInt32LE(next++);
          body.push(chunk);
        };
        const sink: BodySink = {
          data: (chunk) => {
            got.push(Buffer.from(chunk).readUInt32LE());
            const what = insides[reaction++ % insides.length];
            if (what?.startsWith("pause")) body.pause();
            if (what === "pause-resume") body.resume();
            if (what === "push" && next < 60 && !body.hasEnded) push();
          },
          end: () => got.push("end"),
          fail: () => got.push("fail"),
        };
        const ends: unknown[] = [];
        let releases = 0;
        body.whenEnd((error) => ends.push(error));
        body.whenReleased(() => releases++);
        for (const what of steps) {
          if (what === "push") push();
          else if (what === "attach" && !body.isRead) body.attach(sink);
          else if (what === "pause") body.pause();
          else if (what === "resume") body.resume();
          else if (what === "wait") clock.tick(700);
        }
        const error = new Error("cut");
        if (fails) body.fail(error);
        else body.end(null);
        expect(ends).toEqual([fails ? error : null]);
        expect(releases).toBe(1);
        if (!body.isRead) body.attach(sink);
        for (let round = 0; round < 200; round++) body.resume();
        const numbers = got.filter((item) => typeof item === "number");
        expect(numbers).toEqual(Array.from(numbers, (_, index) => index));
        if (!fails) expect(numbers).toHaveLength(next);
        expect(got.filter((item) => typeof item === "string")).toEqual([fails ? "fail" : "end"]);
        expect(typeof got.at(-1)).toBe("string");
        // Pause and resume alternate.
        expect(paused.every((state, index) => state === (index % 2 === 1))).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test("chunks without bytes, which are messages of gRPC, fill it too, and each is delivered", () => {
  let paused = 0;
  let resumed = 0;
  const body = new PushBody({ pause: () => paused++, resume: () => resumed++, abort() {} });
  let pushed = 0;
  while (paused === 0 && pushed < 100_000) {
    body.push(new Uint8Array(0));
    pushed++;
  }
  expect([paused, pushed]).toEqual([1, 4_096]);
  let delivered = 0;
  body.attach({ data: () => delivered++, end() {}, fail() {} });
  expect([delivered, resumed]).toEqual([pushed, 1]);
});
