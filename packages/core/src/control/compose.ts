import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { validateSnapshot } from "../model/validate.ts";
import { checkDocument } from "./document/check.ts";
import { CheckMemory } from "./document/check-memory.ts";
import { formatPath } from "./document/places.ts";
import { translateDocument } from "./document/translate.ts";
import { TranslationMemory } from "./document/translation-memory.ts";
import { type MergedDocument, mergeDocuments, type RankedDocument } from "./merge-documents.ts";
import { IMPLIED, mergeSnapshots, type RankedSnapshot } from "./merge-snapshots.ts";
import type { SourceSink } from "./source.ts";
import type { DocumentSink, WrittenDocument } from "./written-document.ts";

/** What one source says at one moment. */
export type Said =
  | { readonly kind: "documents"; readonly documents: readonly WrittenDocument[] }
  | { readonly kind: "snapshot"; readonly snapshot: MeshSnapshot };

/** Which source gave a part of the configuration, for people. */
export interface InspectedPart {
  /** `services.reviews.endpoints`; where the source has no documents, the name of a backend. */
  readonly part: string;
  /** The place: `mesh.yaml:12:5`. */
  readonly from: string;
  /** The source's name. */
  readonly source: string;
}

export interface Composed {
  /** Null if the sources contradict each other, or the whole is invalid. */
  readonly snapshot: MeshSnapshot | null;
  /** Errors where there is no snapshot, else warnings. */
  readonly problems: readonly Problem[];
  /** Costs something: for `inspect`. */
  parts(sourceNames: readonly string[]): readonly InspectedPart[];
}

/** What else is wrong with a snapshot in the process that is to use it. */
export type SnapshotCheck = (snapshot: MeshSnapshot) => readonly Problem[];

/** What is known of the last composition: what did not change is neither checked nor translated again. */
export class ComposeMemory {
  readonly checks: CheckMemory = new CheckMemory();
  readonly translations: TranslationMemory = new TranslationMemory();
}

/**
 * One configuration from what all sources say, in their order; null for one that has said nothing. Documents merge as documents, so
 * that they are checked as a whole; then what came as snapshots joins in by name.
 */
export function compose(
  said: readonly (Said | null)[],
  isAlone: boolean,
  check: SnapshotCheck = () => [],
  memory: ComposeMemory = new ComposeMemory(),
): Composed {
  const documents: RankedDocument[] = said.flatMap((one, rank) =>
    one?.kind === "documents" ? one.documents.map((written) => ({ written, rank })) : [],
  );
  const snapshots = said.flatMap((one, rank) => (one?.kind === "snapshot" ? [givenSnapshot(one.snapshot, rank)] : []));
  const hasDocuments = said.some((one) => one?.kind === "documents");
  const merged = isAlone ? null : mergeDocuments(documents);
  const checked = hasDocuments ? checkWhole(merged, documents, memory) : null;
  if (checked && !checked.snapshot) return { ...checked, parts: () => [] };
  const own = checked?.snapshot && (merged ? documentSnapshot(checked.snapshot, merged) : givenSnapshot(checked.snapshot, 0));
  const ranked = own ? [own, ...snapshots] : snapshots;
  const snapshot = ranked.length === 1 ? (ranked[0] as RankedSnapshot).snapshot : mergeSnapshots(ranked);
  const refused = [...validateSnapshot(snapshot), ...check(snapshot)];
  if (refused.length > 0) return { snapshot: null, problems: refused, parts: () => [] };
  return { snapshot, problems: checked?.problems ?? [], parts: (names) => listParts(mergeDocuments(documents), said, snapshot, names) };
}

function checkWhole(
  merged: MergedDocument | null,
  [first]: readonly RankedDocument[],
  { checks, translations }: ComposeMemory,
): { readonly snapshot: MeshSnapshot | null; readonly problems: readonly Problem[] } {
  if (merged) {
    const { document, problems } = checkDocument(merged.document, merged.places, checks);
    return { snapshot: document ? translateDocument(document, merged.places, translations) : null, problems };
  }
  // It was checked as a whole when it was read.
  return { snapshot: first ? translateDocument(first.written.document, first.written.places, translations) : null, problems: [] };
}

const BACKEND_KEYS: ReadonlySet<string> = new Set([
  "protocol",
  "subsets",
  "identities",
  "tls",
  "connectTimeout",
  "balancer",
  "slowStart",
  "whenEmpty",
  "healthCheck",
  "failure",
  "limits",
  "breaker",
  "outlier",
  "use",
  "policy",
]);

/** The keys of a service that say something about each of the parts it is translated into. */
const MEANS = {
  endpointSets: (key: string) => key === "endpoints",
  inboundPolicies: (key: string) => key === "inbound" || key === "layers",
  backends: (key: string, value: unknown) => BACKEND_KEYS.has(key) || (key === "retry" && Object.hasOwn(Object(value), "budget")),
  // A policy that is used may say something about both.
  virtualHosts: (key: string) => key === "use" || (key !== "endpoints" && key !== "inbound" && !BACKEND_KEYS.has(key)),
} as const;

function documentSnapshot(snapshot: MeshSnapshot, merged: MergedDocument): RankedSnapshot {
  return {
    snapshot,
    rank(kind, name) {
      if (kind === "resources") return merged.giver(["resources", name])?.rank ?? IMPLIED;
      const service = kind === "backends" ? (snapshot.backends.get(name)?.service ?? name) : name;
      return merged.rankOf(service, MEANS[kind]) ?? IMPLIED;
    },
    egress: merged.document.mesh?.egress ?? null,
  };
}

function givenSnapshot(snapshot: MeshSnapshot, rank: number): RankedSnapshot {
  return { snapshot, rank: () => rank, egress: null };
}

function listParts(
  merged: MergedDocument,
  said: readonly (Said | null)[],
  snapshot: MeshSnapshot,
  names: readonly string[],
): readonly InspectedPart[] {
  const nameOf = (rank: number): string => names[rank] ?? "";
  const fromDocuments = merged.parts.map(({ path, by }) => ({
    part: formatPath(path),
    from: by.written.places.origin(path),
    source: nameOf(by.rank),
  }));
  const fromSnapshots = said.flatMap((one, rank) =>
    one?.kind === "snapshot" ? inForce(one.snapshot, snapshot).map((part) => ({ ...part, source: nameOf(rank) })) : [],
  );
  return [...fromDocuments, ...fromSnapshots];
}

/** The parts of one snapshot that made it into the whole. */
function inForce(given: MeshSnapshot, whole: MeshSnapshot): readonly Omit<InspectedPart, "source">[] {
  const hosts = new Set(whole.virtualHosts);
  const named = <Held extends { readonly origin: string }>(what: string, own: ReadonlyMap<string, Held>, all: ReadonlyMap<string, Held>) =>
    Array.from(own, ([name, part]) => ({ part: `${what} ${name}`, from: part.origin, used: all.get(name) === part }));
  return [
    ...given.virtualHosts.map((host) => ({ part: `virtual host ${host.name}`, from: host.origin, used: hosts.has(host) })),
    ...named("backend", given.backends, whole.backends),
    ...named("endpoint set", given.endpointSets, whole.endpointSets),
    ...named("inbound policy", given.inboundPolicies, whole.inboundPolicies),
  ].flatMap(({ part, from, used }) => (used ? [{ part, from }] : []));
}

/** For a source of documents that is watched by itself: tells one snapshot of all of them. */
export function snapshotOfDocuments(sink: SourceSink): DocumentSink {
  return {
    update: (snapshot) => sink.update(snapshot),
    problem: (problem) => sink.problem(problem),
    documents(documents) {
      const { snapshot, problems } = compose([{ kind: "documents", documents }], false);
      if (snapshot) sink.update(snapshot);
      for (const problem of problems) sink.problem(problem);
    },
  };
}
