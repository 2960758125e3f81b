import { expect, test } from "vitest";
import { DOORS, type Door } from "./doors.ts";
import type { Script } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes, says, well, wellKept } from "./setup.ts";

// That each kind of fault is held against the endpoint it comes from, and against its backend.

nothingEscapes();

const FAILURES = 3;
const URL = "http://reviews/";

const GUILTY: readonly (readonly [string, Script])[] = [
  [
    "closes before the head",
    async (connection) => {
      await connection.request();
      connection.end();
    },
  ],
  [
    "resets in the head",
    async (connection) => {
      await connection.request();
      await connection.writeSeen("HTTP/1.1 200 OK\r\n");
      connection.reset();
    },
  ],
  [
    "cuts its bodies short",
    async (connection) => {
      await connection.request();
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
      connection.end();
    },
  ],
  ["does not speak HTTP", says("SSH-2.0-OpenSSH_9.6\r\n")],
  ["gives two lengths", says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nokay")],
  ["breaks its chunks", says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n")],
];

const HANGING: readonly (readonly [string, Script])[] = [
  ["never answers", (connection) => connection.request()],
  ["never ends its body", says("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")],
];

/** Longer than a busy machine keeps an answer waiting. What ends by itself needs none, and would on such a machine be late for it. */
const TOTAL_MS = 500;
/** What is late because this process was kept waiting is held against nobody, and has to be asked for again. */
const PATIENCE = 10 * FAILURES;

async function meet(door: Door, what: string, script: Script, timeout: number | undefined): Promise<void> {
  const bad = await endpointOf(script);
  const good = await endpointOf(wellKept);
  const policies = { retry: "off", ...(timeout !== undefined && { timeout }) };
  const mesh = await join(
    [bad, good],
    { ...policies, balancer: { policy: "round-robin" }, outlier: { consecutiveFailures: FAILURES } },
    { lonely: { ...policies, endpoints: [{ address: bad.address }], breaker: { consecutiveFailures: FAILURES } } },
  );
  const get = (url: string) => door.send(mesh, { method: "GET", url });
  let failed = 0;
  for (let call = 0; call < PATIENCE && inspected(mesh)[0]?.state !== "ejected"; call++) {
    if ((await get(URL)).code !== null) failed++;
  }
  expect(
    inspected(mesh).map(({ state }) => state),
    what,
  ).toEqual(["ejected", "ready"]);
  expect(failed).toBeGreaterThanOrEqual(FAILURES);
  for (let call = 0; call < 4; call++) expect(await get(URL), what).toMatchObject({ status: 200, body: "well" });

  const breaker = () => mesh.inspect().backends.find(({ name }) => name === "lonely")?.breaker;
  for (let call = 0; call < PATIENCE && breaker() !== "open"; call++) await get("http://lonely/");
  expect(breaker(), what).toBe("open");
  bad.script = well;
  expect(await get("http://lonely/"), what).toMatchObject({ code: "breaker_open" });
  await atRest(mesh);
  await closes(mesh, [bad, good]);
}

const name = "through $name, whatever is wrong with an endpoint, it is ejected, and its backend's breaker opens";
test.each(DOORS)(name, { timeout: 60_000 }, async (door) => {
  await Promise.all([
    ...GUILTY.map(([what, script]) => meet(door, what, script, undefined)),
    ...HANGING.map(([what, script]) => meet(door, what, script, TOTAL_MS)),
  ]);
});
