import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Problem, type Random, seededRandom } from "@heddle/core";
import { type JoinedMesh, joinMesh } from "heddle";
import { expect, onTestFinished, test } from "vitest";
import { type LoopbackServer, pause, serve } from "../../front-doors/setup.ts";

const EDITS = 10_000;
const SEED = 7;

/** What one editor or another does to the file; each leaves it good or broken. */
type Edit = (path: string, document: string) => void;

const put = (path: string, document: string) => {
  writeFileSync(`${path}.draft`, document);
  renameSync(`${path}.draft`, path);
};

const GOOD_EDITS: Record<string, Edit> = {
  "written in place": (path, document) => writeFileSync(path, document),
  "renamed into place": put,
  "deleted and put back": (path, document) => {
    rmSync(path, { force: true });
    writeFileSync(path, document);
  },
  "swapped as a link": (path, document) => {
    writeFileSync(`${path}.target`, document);
    rmSync(`${path}.link`, { force: true });
    symlinkSync(`${path}.target`, `${path}.link`);
    renameSync(`${path}.link`, path);
  },
};

const BROKEN_EDITS: Record<string, Edit> = {
  "truncated to nothing": (path, document) => {
    put(path, document);
    truncateSync(path);
  },
  "half written": (path, document) => put(path, document.slice(0, document.length / 2)),
  deleted: (path) => rmSync(path, { force: true }),
  "no YAML": (path) => put(path, "services: [unclosed"),
  "with a mistake": (path, document) => put(path, document.replace("timeout", "timeOut")),
};

interface Setting {
  readonly path: string;
  readonly mesh: JoinedMesh;
  readonly problems: Problem[];
  readonly document: (revision: number) => string;
}

async function setting(endpoint: LoopbackServer): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-edits-"));
  const path = join(folder, "mesh.yaml");
  const document = (revision: number) =>
    JSON.stringify({
      apiVersion: "heddle/v1",
      services: {
        reviews: { endpoints: [{ address: endpoint.address }], timeout: "10s", retry: {}, routes: [{ name: `edit-${revision}` }] },
      },
    });
  writeFileSync(path, document(0));
  const problems: Problem[] = [];
  const mesh = await joinMesh({ config: path, onProblem: (problem) => void problems.push(problem) });
  onTestFinished(async () => {
    await mesh.close({ limit: 0 });
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, mesh, problems, document };
}

/** The edit whose route is in force. */
function inForce(mesh: JoinedMesh): number {
  const { decision } = mesh.explain({ method: "GET", url: "http://reviews/", headers: {} });
  return Number(/edit-(\d+)/.exec(JSON.stringify(decision))?.[1]);
}

function pick<Value>(values: Readonly<Record<string, Value>>, random: Random): Value {
  const all = Object.values(values);
  return all[Math.floor(random() * all.length)] as Value;
}

test("of 10,000 edits, good and broken, the last one is in force, no request fails, and nothing is left behind", {
  timeout: 60_000,
}, async () => {
  const endpoint = await serve((_request, response) => void response.end("ok"));
  const before = process.getActiveResourcesInfo().filter((resource) => resource === "FSEvent" || resource === "FSEventWrap").length;
  const { path, mesh, problems, document } = await setting(endpoint);
  const random = seededRandom(SEED);
  const failures: unknown[] = [];
  let asked = 0;
  let isOver = false;
  const trickle = (async () => {
    for (; !isOver; asked++) {
      await mesh.request("http://reviews/").then(
        (reply) => reply.text(),
        (error) => failures.push(error),
      );
      await nextTurn();
    }
  })();
  const heapBefore = process.memoryUsage().heapUsed;
  for (let edit = 1; edit <= EDITS; edit++) {
    const change = random() < 0.3 ? pick(BROKEN_EDITS, random) : pick(GOOD_EDITS, random);
    change(path, document(edit));
    if (edit % 50 === 0) await nextTurn();
    // Long enough apart for some of them to be seen by themselves.
    if (edit % 1_000 === 0) await pause(120);
  }
  put(path, document(EDITS + 1));
  await expect.poll(() => inForce(mesh), { timeout: 5_000, message: `seed ${SEED}` }).toBe(EDITS + 1);
  isOver = true;
  await trickle;

  expect(failures).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  expect(mesh.inspect().sources).toMatchObject([{ state: "ok" }]);
  // What was broken on the way is over: a problem stays listed only while it lasts.
  expect(mesh.inspect().problems).toEqual([]);
  expect(problems.length).toBeLessThan(EDITS);
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(150 * 1024 * 1024);
  await mesh.close({ limit: 0 });
  const after = process.getActiveResourcesInfo().filter((resource) => resource === "FSEvent" || resource === "FSEventWrap").length;
  expect(after).toBe(before);
});

test.each(Object.keys(BROKEN_EDITS))(
  "a file %s is reported once, with the last good in force, and every way of putting it right is seen",
  { timeout: 30_000 },
  async (kind) => {
    const endpoint = await serve((_request, response) => void response.end("ok"));
    const { path, mesh, problems, document } = await setting(endpoint);
    let revision = 0;
    for (const [how, repair] of Object.entries(GOOD_EDITS)) {
      const reported = problems.length;
      (BROKEN_EDITS[kind] as Edit)(path, document(revision + 500));
      await expect.poll(() => problems.length, { timeout: 5_000, message: how }).toBeGreaterThan(reported);
      const told = problems.length;
      expect(problems.at(-1)?.message).toContain("the last good configuration stays in force");
      expect(problems.at(-1)?.where).toContain(path);
      expect(inForce(mesh)).toBe(revision);
      expect((await mesh.request("http://reviews/")).status).toBe(200);
      revision++;
      repair(path, document(revision));
      await expect.poll(() => inForce(mesh), { timeout: 5_000, message: how }).toBe(revision);
      expect(problems.length).toBe(told);
    }
    expect(mesh.inspect().problems).toEqual([]);
  },
);
