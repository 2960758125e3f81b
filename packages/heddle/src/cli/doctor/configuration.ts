import {
  type ControlSource,
  createMesh,
  fileSource,
  folderSource,
  isControlSource,
  loadDocument,
  type MeshSnapshot,
  type Problem,
  systemClock,
  type Transport,
  validateSnapshot,
} from "@heddle/core";
import type { MeshConfig } from "../../find-config.ts";
import { ASSUMED_IDENTITY, assumesIdentity, securityProblems } from "../assumed-identity.ts";
import type { FoundConfig } from "../find-document.ts";
import { readDocument } from "../read-document.ts";
import type { Configuration } from "./finding.ts";

const LIMIT_MS = 3_000;
/** One file, rather than a pattern or a folder of them. */
const DOCUMENT = /^[^*?]*\.(?:ya?ml|json)$/i;

/** Reads whatever `config` may be, once. */
export async function readConfiguration({ config, file }: FoundConfig): Promise<Configuration> {
  if (file !== null) {
    const { snapshot, problems } = readDocument(file);
    const all = [...problems, ...(snapshot === null ? [] : [...validateSnapshot(snapshot), ...securityProblems(snapshot)])];
    return { missing: null, problems: all, snapshots: snapshot === null ? [] : [snapshot] };
  }
  const snapshots = await snapshotsOf(config);
  const problems = await problemsOf(config, snapshots.some(assumesIdentity));
  return { missing: null, problems, snapshots };
}

const NO_TRANSPORT: Transport = {
  open() {
    throw new Error("doctor sends nothing");
  },
};

/** What a mesh of this configuration would report. */
async function problemsOf(config: MeshConfig, hasIdentity: boolean): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  await using mesh = createMesh({
    config,
    transport: NO_TRANSPORT,
    startTimeout: LIMIT_MS,
    ...(hasIdentity ? { identity: ASSUMED_IDENTITY } : {}),
    onProblem: (problem) => void problems.push(problem),
  });
  await mesh.ready().catch((error: Error) => {
    // An identity that is assumed never comes: that says nothing of the configuration.
    if (problems.length === 0 && !hasIdentity) problems.push({ where: "config", message: error.message, severity: "error" });
  });
  return problems;
}

async function snapshotsOf(config: unknown): Promise<readonly MeshSnapshot[]> {
  if (Array.isArray(config)) return (await Promise.all(config.map(snapshotsOf))).flat();
  const snapshot = await snapshotOf(config);
  return snapshot === null ? [] : [snapshot];
}

/** What one source says first; null where it says nothing good in time. */
async function snapshotOf(config: unknown): Promise<MeshSnapshot | null> {
  if (isControlSource(config)) return firstOf(config);
  if (typeof config === "object" && config !== null && "source" in config) return snapshotOf(config.source);
  if (typeof config === "object" && config !== null) return loadDocument(config, "config").snapshot;
  const path = String(config);
  return firstOf(DOCUMENT.test(path) ? fileSource(path) : folderSource(path));
}

async function firstOf(source: ControlSource): Promise<MeshSnapshot | null> {
  const { promise, resolve } = Promise.withResolvers<MeshSnapshot | null>();
  const stop = source.watch({ update: resolve, problem() {} }, systemClock);
  const timer = systemClock.setTimer(LIMIT_MS, () => resolve(null));
  const snapshot = await promise;
  systemClock.clearTimer(timer);
  stop();
  return snapshot;
}
