import { afterAll, beforeAll, expect, test } from "vitest";
import { runScenario } from "./run-scenario.ts";
import type { IdleEndpointsInput, IdleEndpointsResult } from "./scenarios/idle-endpoints.ts";
import type { ManyServicesInput, ManyServicesResult } from "./scenarios/many-services.ts";
import { startUpstream, type Upstream } from "./upstream-process.ts";

const SERVICES = 10_000;
const USED_FIRST = 10;
const USED = 1_000;
const ENDPOINTS = 100_000;

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream(USED);
});
afterAll(() => upstream[Symbol.dispose]());

test("memory, pools, timers, sockets and series follow what is used, and go back when it is idle", { timeout: 180_000 }, async () => {
  const input: ManyServicesInput = { addresses: upstream.addresses, services: SERVICES, usedFirst: USED_FIRST };
  const { empty, known, usedFew, usedMany, idle, statusAfterIdle } = await runScenario<ManyServicesResult>("many-services", input, 170_000);
  const perKnown = (known.bytes - empty.bytes) / SERVICES;
  const perUsed = (usedMany.bytes - usedFew.bytes) / (USED - USED_FIRST);
  const perIdle = (idle.bytes - usedFew.bytes) / (USED - USED_FIRST);
  console.log(`bytes a known service: ${perKnown.toFixed(0)}; more a used one: ${perUsed.toFixed(0)}, idle again: ${perIdle.toFixed(0)}`);

  // The prototypes of undici's own subclasses.
  const noPool = empty.instances.Pool ?? 0;
  expect(known.instances).toEqual(empty.instances);
  expect(known.open).toEqual(empty.open);
  expect({ backends: known.backends, series: known.series }).toEqual({ backends: 0, series: 0 });

  expect({ backends: usedFew.backends, series: usedFew.series }).toEqual({ backends: USED_FIRST, series: USED_FIRST });
  expect(usedFew.instances).toEqual({ Pool: noPool + USED_FIRST, BackendState: USED_FIRST, EndpointState: USED_FIRST });

  expect(usedMany.instances).toEqual({ Pool: noPool + USED, BackendState: USED, EndpointState: USED });
  expect(usedMany.series).toBe(USED);

  expect(idle.instances).toEqual({ Pool: noPool, BackendState: USED, EndpointState: USED });
  expect({ ...idle.open, timer: 0 }).toEqual({ ...empty.open, timer: 0 });
  expect(statusAfterIdle).toBe(200);
  // What the document says of it, twice (as given, and with its defaults), is most of it.
  expect(perKnown).toBeLessThan(5_000);
  // Its pool and a connection; what stays when they are gone is its counters, its state and its stack.
  expect(perUsed).toBeLessThan(60_000);
  expect(perIdle).toBeLessThan(10_000);
});

test.each([
  { from: "snapshot", maxBytes: 500 },
  // What the document says of it stays too: it is what the next one is compared with.
  { from: "document", maxBytes: 800 },
] as const)(
  "an endpoint of a $from that is known and idle costs at most $maxBytes bytes, and opens nothing",
  async ({ from, maxBytes }) => {
    const input: IdleEndpointsInput = { endpoints: ENDPOINTS, from };
    const { bytesAnEndpoint, opened } = await runScenario<IdleEndpointsResult>("idle-endpoints", input, 60_000);
    console.log(`bytes an idle endpoint of a ${from}: ${bytesAnEndpoint.toFixed(0)}`);
    expect(opened).toBeLessThanOrEqual(2);
    expect(bytesAnEndpoint).toBeLessThanOrEqual(maxBytes);
  },
);
