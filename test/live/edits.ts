import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { joinMesh } from "heddle";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LiveProtocol } from "./protocol.ts";
import { ServerProcess } from "./server-process.ts";

const EDITS = 200;
const DURATION_MS = 20_000;
const CONVERSATIONS = 6;

/** What the five kinds of edit change. */
interface Settings {
  readonly weight: number;
  readonly isPatient: boolean;
  readonly hasRoute: boolean;
  readonly hasFourth: boolean;
  readonly isMoved: boolean;
}

const EDIT_KINDS: readonly ((settings: Settings) => Settings)[] = [
  (settings) => ({ ...settings, weight: settings.weight === 50 ? 80 : 50 }),
  (settings) => ({ ...settings, isPatient: !settings.isPatient }),
  (settings) => ({ ...settings, hasRoute: !settings.hasRoute }),
  (settings) => ({ ...settings, hasFourth: !settings.hasFourth }),
  (settings) => ({ ...settings, isMoved: !settings.isMoved }),
];

let folder: string;
let servers: ServerProcess[];

function documentOf(protocol: LiveProtocol, { weight, isPatient, hasRoute, hasFourth, isMoved }: Settings): object {
  const [first, second, third, fourth] = servers.map(({ address }) => address);
  return {
    apiVersion: "heddle/v1",
    services: {
      reviews: {
        ...protocol.service,
        ...protocol.held.settings,
        connectTimeout: isPatient ? "3s" : "2s",
        endpoints: [
          { address: first, labels: { version: "v1" } },
          { address: second, labels: { version: isMoved ? "v2" : "v1" } },
          { address: third, labels: { version: "v2", ...(isMoved ? { track: "beta" } : {}) } },
          ...(hasFourth ? [{ address: fourth, labels: { version: "v1" } }] : []),
        ],
        subsets: { v1: { labels: { version: "v1" } }, v2: { labels: { version: "v2" } } },
        routes: [
          ...(hasRoute ? [{ name: "old", match: protocol.oldMatch, respond: { status: 410, body: "gone" } }] : []),
          {
            name: "canary",
            to: [
              { subset: "v1", weight },
              { subset: "v2", weight: 100 - weight },
            ],
            timeout: isPatient ? "10s" : "8s",
            retry: { ...protocol.retry, ...(isPatient ? { maxRetries: 3, backoff: { base: "10ms" } } : {}) },
          },
        ],
      },
    },
  };
}

/** As an editor saves: never half of a document in place. */
function save(path: string, document: object): void {
  writeFileSync(`${path}.draft`, JSON.stringify(document));
  renameSync(`${path}.draft`, path);
}

/** What edits cost requests of this protocol, its connections, and what lasts on them. */
export function testEdits(protocol: LiveProtocol): void {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "heddle-edits-"));
    servers = await Promise.all(Array.from({ length: 4 }, () => ServerProcess.start(0, protocol.name)));
  });

  afterAll(() => {
    for (const server of servers) server[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test(
    "200 edits of five kinds during 20 s cost no request, no connection to an endpoint that stayed, and no stream",
    {
      timeout: 120_000,
    },
    () => edited(protocol),
  );
}

async function edited(protocol: LiveProtocol): Promise<void> {
  const path = join(folder, "mesh.json");
  let settings: Settings = { weight: 50, isPatient: false, hasRoute: false, hasFourth: false, isMoved: false };
  save(path, documentOf(protocol, settings));
  let inForce = 0;
  await using mesh = await joinMesh({
    config: path,
    onChange: ({ revision }) => {
      inForce = revision;
    },
  });
  const traffic = protocol.start(mesh, "reviews", { posts: true });
  const { converse } = protocol;
  const { connections } = protocol.held;
  const staying = servers.slice(0, 3);
  const stayingCounts = () => Promise.all(staying.map((server) => server.counts()));
  const isFull = async () => (await stayingCounts()).every(({ opened }) => opened === connections);
  await expect.poll(isFull, { timeout: 10_000 }).toBe(true);
  const conversations = converse === null ? [] : Array.from({ length: CONVERSATIONS }, () => converse(mesh, "reviews"));

  const { revision } = mesh.inspect();
  const startedAt = performance.now();
  for (let edit = 0; edit < EDITS; edit++) {
    settings = EDIT_KINDS[edit % EDIT_KINDS.length]?.(settings) ?? settings;
    save(path, documentOf(protocol, settings));
    // Edits close to each other would be read as one: each must be in force before the next is saved.
    while (inForce < revision + edit + 1) await pause(5);
    await pause(Math.max(0, startedAt + ((edit + 1) * DURATION_MS) / EDITS - performance.now()));
  }
  const counts = await stayingCounts();
  const echoed = conversations.map((conversation) => conversation.echoed);
  const endings = await Promise.all(conversations.map((conversation) => conversation.stop()));
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  expect(endings).toEqual(conversations.map(() => null));
  for (const each of echoed) expect(each).toBeGreaterThan(100);
  expect(counts.map(({ opened, closed }) => ({ opened, closed }))).toEqual(staying.map(() => ({ opened: connections, closed: 0 })));
  expect(mesh.inspect().revision - revision).toBe(EDITS);
  expect(mesh.inspect().problems).toEqual([]);
  expect((await servers[3]?.counts())?.requests).toBeGreaterThan(0);
  expect(traffic.requests).toBeGreaterThan(1_000);
}
