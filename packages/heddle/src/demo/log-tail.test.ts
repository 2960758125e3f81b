import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { LogTail } from "./log-tail.ts";

async function tailOf(...lines: readonly object[]): Promise<LogTail> {
  const stream = new PassThrough();
  const tail = new LogTail(stream);
  stream.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  while (!stream.readableEnded) await setImmediate();
  return tail;
}

test("finds the last line of whoever asked, and nobody's of whom there is none", async () => {
  const tail = await tailOf(
    { peer_id: "spiffe://demo.test/web", outcome: "200" },
    { peer_id: "spiffe://demo.test/web-2", outcome: "403" },
    { peer_id: "spiffe://demo.test/web", outcome: "404" },
    { peer_id: "spiffe://demo.test/ratings", outcome: "200" },
  );
  expect(tail.lastFrom("spiffe://demo.test/web")).toMatchObject({ outcome: "404" });
  expect(tail.lastFrom("spiffe://demo.test/reviews")).toBeNull();
});

test("keeps the last thousand lines whatever comes, and forgets what was long before", async () => {
  const line = (number: number) => ({ peer_id: `spiffe://demo.test/${number}`, outcome: "200" });
  const tail = await tailOf(...Array.from({ length: 5_000 }, (_, number) => line(number)));
  expect(tail.lastFrom("spiffe://demo.test/4000")).not.toBeNull();
  expect(tail.lastFrom("spiffe://demo.test/2000")).toBeNull();
});
