import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import { type Fault, NOT_HTTP, survives } from "./fault.ts";
import { type RawConnection, turns } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, join, says, WELL } from "./setup.ts";

// 1xx before the answer, as many and as large as an endpoint likes.

const HINTS = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
const LARGE_HINTS = `HTTP/1.1 103 Early Hints\r\nlink: ${"a".repeat(8_000)}\r\n\r\n`;
const ANSWER: Fault["expected"] = { status: 200, body: "well" };

survives([
  { name: "102 before the answer", script: says(`HTTP/1.1 102 Processing\r\n\r\n${WELL}`), expected: ANSWER },
  { name: "103 before the answer", script: says(`${HINTS}${WELL}`), expected: ANSWER },
  { name: "an unknown 1xx before the answer", script: says(`HTTP/1.1 199 Whatever\r\nx-a: 1\r\n\r\n${WELL}`), expected: ANSWER },
  {
    name: "a 1xx with a length, which says nothing",
    script: says(`HTTP/1.1 103 Hints\r\ncontent-length: 5\r\n\r\n${WELL}`),
    expected: ANSWER,
  },
  { name: "thousands of 103 before the answer", script: says(`${HINTS.repeat(5_000)}${WELL}`), expected: ANSWER },
  { name: "103s of 8 KB each before the answer", script: says(`${LARGE_HINTS.repeat(100)}${WELL}`), expected: ANSWER },
  {
    name: "a 103 over the limit of a head",
    script: says(`HTTP/1.1 103 Early Hints\r\nlink: ${"a".repeat(20_000)}\r\n\r\n${WELL}`),
    expected: NOT_HTTP,
  },
  // RFC 9110 15.2 lets a client ignore it; undici does not, and what it refuses is at least never taken for the answer.
  { name: "100 that nobody asked for", script: says(`HTTP/1.1 100 Continue\r\n\r\n${WELL}`), expected: NOT_HTTP, agent: ANSWER },
]);

const TOTAL_MS = 400;
/** What a flood may leave in memory while it lasts. */
const MAX_BYTES = 64 * 1024 * 1024;

async function flood(connection: RawConnection): Promise<void> {
  await connection.request();
  const hints = Buffer.from(LARGE_HINTS.repeat(8));
  while (!connection.socket.destroyed) {
    await connection.write(hints);
    await turns(1);
  }
}

describe.each(DOORS)("through $name", (door) => {
  test("1xx without end are ended by the deadline, and kept nowhere", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: TOTAL_MS });
    endpoint.next(flood);
    const before = process.memoryUsage();
    const outcome = await door.send(mesh, { method: "GET", url: "http://reviews/" });
    const after = process.memoryUsage();
    expect(outcome, String(outcome.error)).toMatchObject({ code: "deadline_exceeded", attempts: ["deadline"] });
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(MAX_BYTES);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(MAX_BYTES);
    expect(await door.send(mesh, { method: "GET", url: "http://reviews/" })).toMatchObject({ status: 200, body: "well" });
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});
