import { seededRandom } from "@heddle/core";
import type { JoinedMesh } from "heddle";
import { expect, test } from "vitest";
import { DOORS, type Door, type Outcome } from "./doors.ts";
import { oneOf, randomly, sumOf } from "./random-faults.ts";
import type { RawEndpoint } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, join, nothingEscapes, well } from "./setup.ts";

nothingEscapes();

const SEED = Number(process.env.HEDDLE_FAULT_SEED ?? 1);
const REQUESTS = 400;
const CALLERS = 16;
const TOTAL_MS = 1_500;
/** Of a machine that has other things to do. */
const SLACK_MS = 3_000;
/** So small that it runs out. */
const BUDGET = { percent: 1, minPerSecond: 1 };
const WINDOW_MS = 10_000;

interface Ended extends Outcome {
  readonly id: string;
  readonly door: string;
  readonly tookMs: number;
}

async function ask(mesh: JoinedMesh, number: number): Promise<Ended> {
  const random = seededRandom(SEED * 1_000_003 + number);
  const door: Door = oneOf(random, DOORS);
  const method = random() < 0.4 ? "POST" : "GET";
  const id = `${number}`;
  const body = method === "POST" ? { body: `${id} `.repeat(Math.floor(random() * 5_000) + 1) } : {};
  const startedAt = performance.now();
  const outcome = await door.send(mesh, { method, url: `http://reviews/${id}`, headers: { "x-id": id }, ...body });
  return { ...outcome, id, door: door.name, tookMs: performance.now() - startedAt };
}

async function askAll(mesh: JoinedMesh): Promise<readonly Ended[]> {
  const ended: Ended[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < REQUESTS) ended.push(await ask(mesh, next++));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return ended;
}

function expectWhole(ended: readonly Ended[], seed: string): void {
  for (const { id, door, status, body, headers, code, tookMs, error } of ended) {
    expect(tookMs, `${seed}: ${id} took too long`).toBeLessThan(TOTAL_MS + SLACK_MS);
    if (door !== "mesh.agent") expect(code, `${seed}: ${id} failed with what is not the mesh's: ${error}`).not.toBe("none");
    if (status !== 200) continue;
    expect(headers["x-id"], `${seed}: ${id} got another's answer`).toBe(id);
    expect(sumOf(body), `${seed}: ${id} got a broken body`).toBe(headers["x-sum"]);
  }
}

function expectOnce(endpoints: readonly RawEndpoint[], seed: string): void {
  const seen = new Map<string, number>();
  for (const { method, path } of endpoints.flatMap(({ heads }) => heads)) {
    if (method === "POST") seen.set(path, (seen.get(path) ?? 0) + 1);
  }
  expect(
    [...seen].filter(([, times]) => times > 1),
    `${seed}: POSTs that were sent more than once`,
  ).toEqual([]);
  expect(seen.size).toBeGreaterThan(REQUESTS / 8);
}

test(`whatever ${REQUESTS} requests meet, each ends in time, none gets a wrong or broken answer, and no POST is sent twice`, async () => {
  const seed = `HEDDLE_FAULT_SEED=${SEED}`;
  const endpoints = await Promise.all(
    [1, 2, 3].map((endpoint) => endpointOf(randomly((connection) => seededRandom(SEED * 7_919 + endpoint * 100_003 + connection)))),
  );
  const mesh = await join(endpoints, {
    timeout: TOTAL_MS,
    retry: {
      maxRetries: 2,
      on: ["connect-failure", "reset", 503],
      perTryTimeout: 300,
      budget: BUDGET,
    },
    outlier: { baseEjection: 50, maxEjection: 100 },
    limits: { maxConnections: 4 },
  });
  const startedAt = performance.now();
  const ended = await askAll(mesh);
  const tookMs = performance.now() - startedAt;

  expect(ended).toHaveLength(REQUESTS);
  expectWhole(ended, seed);
  expectOnce(endpoints, seed);
  expect(ended.filter(({ status }) => status === 200).length, seed).toBeGreaterThan(REQUESTS / 4);
  expect(new Set(ended.map(({ code }) => code)).size, `${seed}: hardly anything went wrong`).toBeGreaterThan(3);

  const retries = ended.flatMap(({ whys }) => whys).filter((why) => why === "retried").length;
  const reserve = BUDGET.minPerSecond * (WINDOW_MS / 1_000) * (1 + Math.floor(tookMs / WINDOW_MS));
  expect(retries, `${seed}: retries`).toBeLessThanOrEqual(reserve + (REQUESTS * BUDGET.percent) / 100);
  expect(retries).toBeGreaterThan(0);

  await atRest(mesh);
  for (const endpoint of endpoints) {
    endpoint.script = well;
    endpoint.resetAll();
  }
  expect(await (DOORS[0] as Door).send(mesh, { method: "GET", url: "http://reviews/" })).toMatchObject({ status: 200 });
  await closes(mesh, endpoints);
}, 50_000);
