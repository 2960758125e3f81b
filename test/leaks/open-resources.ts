import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { getGlobalDispatcher } from "undici";
import { liveTimers } from "./live-timers.ts";
import { until } from "./scenario.ts";

/** Everything that the process has open, by kind. Two that are equal have the same number of each. */
export type OpenResources = Readonly<Record<string, number>>;

interface LibuvHandle {
  readonly type: string;
  readonly is_active: boolean;
}

export function openResources(): OpenResources {
  return {
    ...counted("resource", process.getActiveResourcesInfo()),
    ...counted("handle", libuvHandles()),
    ...counted(
      "listener of process",
      process.eventNames().flatMap((name) => Array(process.listenerCount(name)).fill(String(name))),
    ),
    "file descriptor": fileDescriptors(),
    "file watch": fileWatches(),
    timer: liveTimers(),
  };
}

/** What a process has one of, and a mesh may take the place of; and the names of everything global. */
export function globalPlaces(): readonly unknown[] {
  return [
    http.globalAgent,
    getGlobalDispatcher(),
    globalThis.fetch,
    Object.getOwnPropertySymbols(globalThis).length,
    ...Object.getOwnPropertyNames(globalThis),
  ];
}

/** Unreferenced ones too, which `getActiveResourcesInfo` leaves out. */
function libuvHandles(): readonly string[] {
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  // Its look-up of the peers' names would take seconds.
  report.excludeNetwork = true;
  const { libuv } = report.getReport() as unknown as { libuv: readonly LibuvHandle[] };
  // Node's own, of which it makes and ends some as it likes.
  const own = new Set(["loop", "timer", "check", "idle", "prepare", "async"]);
  return libuv.filter(({ type, is_active }) => !own.has(type) && is_active).map(({ type }) => type);
}

export function fileDescriptors(): number {
  // One is of the reading itself.
  return readdirSync("/proc/self/fd").length - 1;
}

/** All watches share one file descriptor, whose description lists them. */
function fileWatches(): number {
  return readdirSync("/proc/self/fdinfo").reduce((sum, descriptor) => sum + inotifyLines(descriptor), 0);
}

function inotifyLines(descriptor: string): number {
  try {
    return readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("inotify ")).length;
  } catch {
    return 0; // The descriptor of the listing itself is closed by now.
  }
}

function counted(kind: string, names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  // Timers come and go with Node's own lists; they are counted for themselves.
  for (const name of names)
    if (name !== "Timeout" && name !== "Immediate") counts[`${kind}: ${name}`] = (counts[`${kind}: ${name}`] ?? 0) + 1;
  return counts;
}

/** What is open once it is as it was before, or still is when that does not come within 10 s. */
export async function resourcesAfter(before: OpenResources): Promise<OpenResources> {
  const endsAt = performance.now() + 10_000;
  return until(openResources, (seen) => isSame(seen, before) || performance.now() > endsAt);
}

function isSame(one: OpenResources, other: OpenResources): boolean {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((kind) => one[kind] === other[kind]);
}
