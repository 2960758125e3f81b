import fc from "fast-check";
import { expect, test } from "vitest";
import { REPLAY_BYTES, type Replay, replayOf } from "./replay.ts";

type Chunk = Uint8Array | string;

/** A source that says what was done to it. */
function sourceOf(chunks: readonly Chunk[], failure?: Error) {
  const seen = { pulls: 0, returned: 0 };
  async function* generate() {
    try {
      for (const chunk of chunks) {
        seen.pulls++;
        await Promise.resolve();
        yield chunk;
      }
      if (failure) throw failure;
    } finally {
      seen.returned++;
    }
  }
  return { source: generate(), seen };
}

function readerOf(replay: Replay): AsyncIterator<Chunk> {
  return (replay.next() as AsyncIterable<Chunk>)[Symbol.asyncIterator]();
}

async function read(reader: AsyncIterator<Chunk>, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  for (let count = 0; count < most; count++) {
    const { done, value } = await reader.next();
    if (done) break;
    text += typeof value === "string" ? value : Buffer.from(value).toString();
  }
  return text;
}

test("what is not a stream can be sent any number of times as it is", () => {
  for (const body of [null, "text", new Uint8Array([1, 2])]) {
    const replay = replayOf(body);
    expect([replay.next(), replay.next(), replay.next()]).toEqual([body, body, body]);
    expect(replay.isReplayable).toBe(true);
    replay.close();
  }
});

test("a stream is read once, and each try gets it whole", async () => {
  const { source, seen } = sourceOf(["a", Buffer.from("b"), "c"]);
  const replay = replayOf(source);
  expect(await read(readerOf(replay))).toBe("abc");
  expect(await read(readerOf(replay))).toBe("abc");
  expect(seen).toEqual({ pulls: 3, returned: 1 });
});

test("a later try sends what was read, and goes on where the one before stopped", async () => {
  const { source, seen } = sourceOf(["a", "b", "c", "d"]);
  const replay = replayOf(source);
  expect(await read(readerOf(replay), 2)).toBe("ab");
  expect(seen.pulls).toBe(2);
  expect(await read(readerOf(replay))).toBe("abcd");
});

test("a read that an abandoned try began serves the next one", async () => {
  let deliver: (chunk: string) => void = () => {};
  const chunks = ["b", "c"];
  const source: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => {
      let isFirst = true;
      return {
        next: () => {
          if (!isFirst) {
            const value = chunks.shift();
            return Promise.resolve(value === undefined ? { done: true, value } : { done: false, value });
          }
          isFirst = false;
          return new Promise((resolve) => {
            deliver = (value) => resolve({ done: false, value });
          });
        },
      };
    },
  };
  const replay = replayOf(source);
  const abandoned = readerOf(replay).next();
  abandoned.catch(() => {});
  const second = read(readerOf(replay));
  deliver("a");
  expect(await second).toBe("abc");
  await expect(abandoned).rejects.toThrow("given up for another");
});

test("the try before fails once the next has begun, rather than end as if it were whole", async () => {
  const replay = replayOf(sourceOf(["a", "b", "c"]).source);
  const first = readerOf(replay);
  expect(await read(first, 1)).toBe("a");
  const second = readerOf(replay);
  await expect(read(first)).rejects.toThrow("given up for another");
  expect(await read(second)).toBe("abc");
});

test("over 64 KiB there is no later try, but the first is complete and nothing is kept", async () => {
  expect(REPLAY_BYTES).toBe(65_536);
  const chunks = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index).repeat(8_192));
  const replay = replayOf(sourceOf(chunks).source);
  const reader = readerOf(replay);
  expect(await read(reader, 8)).toBe(chunks.slice(0, 8).join(""));
  expect(replay.isReplayable).toBe(true);
  expect(await read(reader, 1)).toBe(chunks[8]);
  expect(replay.isReplayable).toBe(false);
  expect(await read(reader)).toBe(chunks.slice(9).join(""));
});

test("bytes are counted, not characters", async () => {
  const replay = replayOf(sourceOf(["ö".repeat(32_768), "x"]).source);
  const reader = readerOf(replay);
  await read(reader, 1);
  expect(replay.isReplayable).toBe(true);
  await read(reader, 1);
  expect(replay.isReplayable).toBe(false);
});

test("a source that fails reaches the reader of this try, and of every later one", async () => {
  const failure = new Error("the file is gone");
  const replay = replayOf(sourceOf(["a"], failure).source);
  await expect(read(readerOf(replay))).rejects.toBe(failure);
  const second = readerOf(replay);
  await expect(read(second)).rejects.toBe(failure);
});

test("close gives a source back that was not read to its end, once", async () => {
  const { source, seen } = sourceOf(["a", "b", "c"]);
  const replay = replayOf(source);
  const reader = readerOf(replay);
  expect(await read(reader, 1)).toBe("a");
  replay.close();
  replay.close();
  await Promise.resolve();
  expect(seen).toEqual({ pulls: 1, returned: 1 });
  await expect(read(reader)).rejects.toThrow("given up for another");
});

test("close leaves a source alone that was read to its end, and one that nobody began to read", async () => {
  const read1 = sourceOf(["a"]);
  const replay = replayOf(read1.source);
  await read(readerOf(replay));
  replay.close();
  expect(read1.seen.returned).toBe(1);
  const unread = sourceOf(["a"]);
  replayOf(unread.source).close();
  expect(unread.seen).toEqual({ pulls: 0, returned: 0 });
});

test("a source that fails to clean up harms nobody", async () => {
  const replay = replayOf({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: "a" }),
      return: () => Promise.reject(new Error("cannot clean up")),
    }),
  });
  await read(readerOf(replay), 1);
  replay.close();
  await new Promise((resolve) => setImmediate(resolve));
});

test("however tries read and replace each other, the last gets every byte once and in order", async () => {
  const chunk = fc.oneof(fc.string({ minLength: 1, maxLength: 5 }), fc.uint8Array({ minLength: 1, maxLength: 5 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 12 }),
      fc.array(fc.nat(6), { maxLength: 6 }),
      fc.boolean(),
      async (chunks, reads, isAbandoning) => {
        const bytes = (all: readonly Chunk[]) => Buffer.concat(all.map((chunk) => Buffer.from(chunk as string)));
        const replay = replayOf(sourceOf(chunks).source);
        for (const count of reads) {
          const reader = readerOf(replay);
          for (let step = 0; step < count; step++) {
            // Not awaited: the next try begins while this one still reads.
            const reading = reader.next();
            reading.catch(() => {});
            if (!isAbandoning) await reading;
          }
        }
        const got: Chunk[] = [];
        const reader = readerOf(replay);
        for (let result = await reader.next(); !result.done; result = await reader.next()) got.push(result.value);
        expect(bytes(got)).toEqual(bytes(chunks));
      },
    ),
    { numRuns: 300 },
  );
});
