import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { liveMesh, serveText, textClient } from "./live.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** 1024 is a gigabyte. */
const MEGABYTES = Number(process.env.HEDDLE_GRPC_STREAM_MB ?? 256);
const MESSAGE = "x".repeat(64 * 1024);
const MESSAGES = MEGABYTES * 16;

/** What is reachable: how much waits to be collected says how busy the machine is. */
function heldMb(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return Math.round((heapUsed + external) / 2 ** 20);
}

test(`a slow reader of ${MEGABYTES} MB holds the server back, and memory stays flat`, async () => {
  let sent = 0;
  const address = await serveText({
    serverStream: async (call: ServerWritableStream<string, string>) => {
      for (; sent < MESSAGES && !call.cancelled; sent++) if (!call.write(MESSAGE)) await once(call, "drain");
      call.end();
    },
  });
  const stream = textClient(liveMesh([address])).serverStream("?");
  await once(stream, "readable");
  let before = -1;
  // Nobody reads: the server comes to a stop, once what lies between is full.
  while (before !== sent) {
    before = sent;
    for (let turns = 0; turns < 200; turns++) await turn();
  }
  expect(sent * MESSAGE.length).toBeLessThan(16 * 2 ** 20);
  const atRest = heldMb();
  let received = 0;
  let most = 0;
  let furthest = 0;
  for await (const message of stream) {
    received += (message as string).length;
    if (received % (8 * 2 ** 20) === 0) {
      most = Math.max(most, heldMb());
      for (let turns = 0; turns < 10; turns++) await turn();
    }
    furthest = Math.max(furthest, sent * MESSAGE.length - received);
  }
  expect(received).toBe(MESSAGES * MESSAGE.length);
  expect(furthest).toBeLessThan(16 * 2 ** 20);
  expect(most - atRest, `held ${atRest} MB at rest, at most ${most} MB`).toBeLessThan(48);
}, 300_000);
