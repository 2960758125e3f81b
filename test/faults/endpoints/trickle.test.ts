import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import { type RawConnection, turns } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, join, nothingEscapes } from "./setup.ts";

// Answers that come a byte at a time, and answers made of nothing but framing.

nothingEscapes();

const URL = "http://reviews/";
/** Of framing, which nobody is to keep. */
const SENT_BYTES = 16 * 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What one collection finds unreachable may be counted still; by the next it was given back. */
async function heldBytes(): Promise<number> {
  for (let pass = 0; pass < 3; pass++) {
    await turns(1);
    collectGarbage();
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** Each byte in a segment of its own, read before the next is written. */
async function trickle(connection: RawConnection, bytes: string): Promise<void> {
  for (const byte of bytes) {
    await connection.write(byte);
    await turns(1);
  }
}

const ANSWERS = [
  ["with its length", "HTTP/1.1 200 OK\r\nx-a: \xe4\r\ncontent-length: 11\r\n\r\ntrickle too"],
  ["in chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7;a=b\r\ntrickle\r\n4\r\n too\r\n0\r\nx-sum: 1\r\n\r\n"],
] as const;

describe.each(DOORS)("through $name", (door) => {
  test.each(ANSWERS)("an answer %s that comes a byte at a time is complete, and its connection is used again", async (_how, answer) => {
    const endpoint = await endpointOf(async (connection) => {
      while (await connection.request()) await trickle(connection, answer);
    });
    const mesh = await join([endpoint]);
    for (let call = 0; call < 2; call++) {
      expect(await door.send(mesh, { method: "GET", url: URL })).toMatchObject({ status: 200, body: "trickle too" });
      await turns();
    }
    expect(endpoint.connections).toBe(1);
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });

  test("a head that never gets further than a byte at a time is ended by its deadline", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: { head: 300 } });
    endpoint.next(async (connection) => {
      await connection.request();
      await connection.write("HTTP/1.1 200 OK\r\nx-slow: ");
      while (!connection.socket.destroyed) await trickle(connection, "a");
    });
    const outcome = await door.send(mesh, { method: "GET", url: URL });
    // At a byte a turn the limit of a head may come first.
    expect(["deadline_exceeded", "protocol_error"]).toContain(outcome.code);
    await turns();
    expect(await door.send(mesh, { method: "GET", url: URL })).toMatchObject({ status: 200, body: "well" });
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});

describe.each(DOORS.filter(({ isWhole }) => isWhole))("through $name", (door) => {
  test.each([
    ["a chunk extension without end", "5;a="],
    ["empty lines before the head", "\r\n"],
  ])("%s is ended by the deadline, and kept nowhere", async (_what, start) => {
    const inHead = start === "\r\n";
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: inHead ? { head: 1_000 } : { idle: 1_000 } });
    const before = await heldBytes();
    let sentBytes = 0;
    let kept = Number.NaN;
    endpoint.next(async (connection) => {
      await connection.request();
      await connection.write(inHead ? start : `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${start}`);
      const more = Buffer.from((inHead ? "\r\n" : "aa").repeat(16 * 1024));
      while (!connection.socket.destroyed) {
        await connection.write(more);
        sentBytes += more.length;
        await turns(1);
        if (Number.isNaN(kept) && sentBytes >= SENT_BYTES) kept = (await heldBytes()) - before;
      }
    });
    const outcome = await door.send(mesh, { method: "GET", url: URL });
    expect(outcome, String(outcome.error)).toMatchObject({ code: "deadline_exceeded", hadHead: !inHead });
    // While it was under way: afterwards everything is let go in any case.
    expect(kept).toBeLessThan(SENT_BYTES / 2);
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});
