import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const main = fileURLToPath(new URL("../../packages/heddle/dist/cli/main.js", import.meta.url));
const SERVICES = 13;
const STEPS = 17;

interface Results {
  readonly ok: boolean;
  readonly requests: number;
  readonly failures: number;
  readonly endedBecause: string | null;
  readonly steps: readonly { readonly step: string; readonly seen: string; readonly verdict: string }[];
}

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  /** Resolves with the exit code, null where a signal ended it. */
  readonly ended: Promise<number | null>;
}

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

function startDemo(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [main, "demo", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, as a terminal gives it: what is typed there reaches every process of it.
    detached: true,
  });
  started.push(child);
  let output = "";
  let errors = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return { child, output: () => output, errors: () => errors, ended: once(child, "close").then(([code]) => code as number | null) };
}

/** What a running process has started and not yet seen end. Linux tells it below /proc, one file a thread. */
function childrenOf(pid: number | undefined): readonly number[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).flatMap((task) => readFileSync(`${tasks}/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie has ended; its new parent has only not looked yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function waitFor(what: string, condition: () => boolean, limitMs = 20_000): Promise<void> {
  for (let waited = 0; !condition(); waited += 50) {
    if (waited > limitMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function foldersOf(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("heddle-demo-"));
}

/** A demo whose first step runs: its processes, and the folder of its document. */
async function underWay(...args: readonly string[]): Promise<Started & { readonly services: readonly number[]; readonly folder: string }> {
  const demo = startDemo("--json", ...args);
  await waitFor("the first step begins", () => demo.errors().includes(`1/${STEPS} `));
  const folder = /heddle-demo-[^/]+/.exec(demo.errors())?.[0] ?? "";
  return { ...demo, services: childrenOf(demo.child.pid), folder };
}

test("every step holds, no request fails, and no process or file is left behind", { timeout: 120_000 }, async () => {
  const { services, folder, ended, output, errors } = await underWay();
  expect(services).toHaveLength(SERVICES);
  const code = await ended;
  const results = JSON.parse(output()) as Results;
  expect(results.steps.map(({ step, verdict, seen }) => ({ step, verdict, seen }))).toEqual(
    results.steps.map(({ step }) => ({ step, verdict: "held", seen: expect.stringMatching(/\S/) })),
  );
  expect(results).toMatchObject({ ok: true, failures: 0, endedBecause: null });
  expect(results.steps).toHaveLength(STEPS);
  expect(errors()).toMatch(/mesh\.yaml:\d+:\d+: .*wieght/);
  expect(code).toBe(0);
  expect(services.filter(isRunning)).toEqual([]);
  expect(foldersOf()).not.toContain(folder);
});

describe("ended before its time", () => {
  test.each([
    { how: "Ctrl-C at the terminal", signal: "SIGINT", reachesAll: true },
    { how: "a terminal that is closed", signal: "SIGHUP", reachesAll: true },
    { how: "SIGTERM", signal: "SIGTERM", reachesAll: false },
  ] as const)("by $how it says so, fails, and leaves nothing behind", { timeout: 60_000 }, async ({ signal, reachesAll }) => {
    const { child, services, folder, ended, output } = await underWay();
    const pid = child.pid ?? Number.NaN;
    process.kill(reachesAll ? -pid : pid, signal);
    expect(await ended).toBe(1);
    expect(JSON.parse(output())).toMatchObject({ ok: false, endedBecause: expect.stringContaining(signal) });
    expect(services.filter(isRunning)).toEqual([]);
    expect(foldersOf()).not.toContain(folder);
  });

  test("by an output that nobody reads any more it leaves nothing behind", { timeout: 60_000 }, async () => {
    const { child, services, folder, ended } = await underWay();
    child.stderr?.destroy();
    expect(await ended).toBe(1);
    expect(services.filter(isRunning)).toEqual([]);
    expect(foldersOf()).not.toContain(folder);
  });

  test("killed itself, its services end with it", { timeout: 60_000 }, async () => {
    const { child, services, folder, ended } = await underWay();
    expect(services).toHaveLength(SERVICES);
    child.kill("SIGKILL");
    await ended;
    await waitFor("the services end", () => !services.some(isRunning));
    rmSync(join(tmpdir(), folder), { recursive: true });
  });

  test("a service that dies unexpectedly is reported as a failure", { timeout: 60_000 }, async () => {
    const { services, ended, output } = await underWay();
    const [victim = 0, ...others] = services;
    process.kill(victim, "SIGKILL");
    expect(await ended).toBe(1);
    expect(JSON.parse(output())).toMatchObject({ ok: false, endedBecause: expect.stringMatching(/ended unexpectedly \(SIGKILL\)/) });
    expect(others.filter(isRunning)).toEqual([]);
  });
});
