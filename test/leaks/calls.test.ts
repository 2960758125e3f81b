import { afterAll, beforeAll, expect, test } from "vitest";
import { runScenario } from "./run-scenario.ts";
import type { CallsInput, CallsResult } from "./scenarios/calls.ts";
import type { ContextsInput, ContextsResult } from "./scenarios/contexts.ts";
import { startUpstream, type Upstream } from "./upstream-process.ts";

const CALLS = 10_000;
const MAX_BYTES_A_CALL = 40;
/** Of the kinds that others stand for, of which fewer are made: code that is compiled on the way weighs more. Listeners are counted exactly. */
const MAX_BYTES_A_CALL_OF_FEW = 200;

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream[Symbol.dispose]());

const address = () => upstream.addresses[0] ?? "";

test(`${CALLS} calls with one signal, aborted, late, or failed leave no memory, listener, timer, load or socket`, {
  timeout: 210_000,
}, async () => {
  const input: CallsInput = { address: address(), calls: CALLS };
  const { kinds, before, after } = await runScenario<CallsResult>("calls", input, 200_000);
  for (const { kind, heap } of kinds) console.log(`${kind}: heap ${heap.slope.toFixed(1)} +- ${heap.error.toFixed(1)} bytes a call`);
  const grown = kinds.filter(({ calls, heap }) => heap.slope > (calls === CALLS ? MAX_BYTES_A_CALL : MAX_BYTES_A_CALL_OF_FEW));
  expect(grown).toEqual([]);
  expect(kinds.map(({ listeners, inFlight }) => ({ listeners, inFlight }))).toEqual(kinds.map(() => ({ listeners: 0, inFlight: 0 })));
  expect(after).toEqual(before);
});

test("what a request's handler held is let go, though connections, pools and timers made in it live on", async () => {
  const input: ContextsInput = { address: address(), requests: 300 };
  const result = await runScenario<ContextsResult>("contexts", input, 60_000);
  const { requests, stores, connections, inboundConnections, timers } = result;
  console.log(
    `of ${input.requests} requests: ${requests} messages and ${stores} stores still reachable, ${connections} connections, ${timers} timers`,
  );
  expect(connections).toBeGreaterThan(0);
  expect(timers).toBeGreaterThan(0);
  // Node's parser holds the last message of a connection until the next.
  expect(requests).toBeLessThanOrEqual(connections + inboundConnections);
  expect(stores).toBeLessThanOrEqual(connections + inboundConnections);
});
