import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";
import type { Random } from "../random.ts";
import { type Composed, ComposeMemory, compose, type InspectedPart, type Said, type SnapshotCheck } from "./compose.ts";
import { type ConfiguredSource, configuredSources } from "./document-source.ts";
import { NameResolution } from "./name-resolution.ts";
import type { Problems } from "./problems.ts";
import type { Resolve } from "./resolve.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { WatchedSource } from "./watched-source.ts";
import { isDocumentSource } from "./written-document.ts";

export interface WatchedSourcesDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: SnapshotStore;
  readonly problems: Problems;
  readonly resolve: Resolve;
  /** Default: nothing. */
  readonly check?: SnapshotCheck;
  /** A new configuration is in force. */
  applied(): void;
}

/**
 * All sources of a mesh. What they say is composed into one configuration, its DNS names are resolved, and the store takes it. Where
 * what one source says contradicts the others, that source keeps its last good, and the others go on.
 */
export class WatchedSources {
  readonly all: readonly WatchedSource[];
  readonly #dependencies: WatchedSourcesDependencies;
  readonly #isAlone: boolean;
  readonly #names: NameResolution;
  readonly #memory = new ComposeMemory();
  #warnings: readonly Problem[] = [];
  #parts: Composed["parts"] = () => [];
  /** Sources are being started: what the first says may lean on what the next one will. */
  #isStarting = true;
  #isClosed = false;

  /** Throws TypeError for what is no configuration. */
  constructor(config: string | object, dependencies: WatchedSourcesDependencies) {
    this.#dependencies = dependencies;
    const { clock, random, resolve, problems, store } = dependencies;
    this.#names = new NameResolution({
      clock,
      random,
      resolve,
      problems,
      resolved: (snapshot) => {
        store.accept(snapshot);
        dependencies.applied();
      },
    });
    const sources = configuredSources(config);
    this.#isAlone = standsAlone(sources);
    const said = (source: WatchedSource, before: Said | null): void => this.#said(source, before);
    this.all = sources.map((source) => new WatchedSource(source, { clock, problems, isAlone: this.#isAlone, said }));
    this.#isStarting = false;
    this.#start();
  }

  /** Every source that is not optional has spoken, and what they said is in force: nothing is before that. */
  get areReady(): boolean {
    return this.#dependencies.store.revision > 0;
  }

  get names(): string {
    return this.all.map(({ name }) => name).join(", ");
  }

  /** Each source that readiness waits for, and why. */
  get waiting(): readonly string[] {
    if (this.areReady) return [];
    const silent = this.all.filter((source) => !source.hasSpoken && !source.isOptional);
    const because = silent.flatMap(({ name, waitingBecause }) => (waitingBecause === null ? [] : [`${name}: ${waitingBecause}`]));
    return because.length > 0 ? because : [`${this.names}: names of endpoints are being resolved`];
  }

  /** Waiting for readiness is of no use. */
  get areHopeless(): boolean {
    return this.all.some((source) => !source.isOptional && source.isHopeless);
  }

  parts(): readonly InspectedPart[] {
    return this.#parts(this.all.map(({ name }) => name));
  }

  close(): void {
    this.#isClosed = true;
    for (const source of this.all) source.close();
    this.#names.close();
  }

  #start(): void {
    if (!this.#mayCompose()) return;
    const composed = this.#composeAll();
    const speakers = this.all.filter(({ said }) => said !== null);
    if (composed.snapshot === null) for (const source of speakers) source.refuse(composed.problems);
    else this.#acceptAll(composed, speakers);
  }

  #said(source: WatchedSource, before: Said | null): void {
    if (this.#isStarting || this.#isClosed || !this.#mayCompose()) return;
    if (this.all.every(({ hasSpoken }) => !hasSpoken)) {
      this.#start();
      return;
    }
    const composed = this.#composeAll();
    if (composed.snapshot !== null) this.#acceptAll(composed, [source]);
    else this.#takeAlone(source, before, composed.problems);
  }

  /** Until every source has spoken that is not optional, what they say together is not known, and a part of it may allow too much. */
  #mayCompose(): boolean {
    return this.all.every((source) => source.said !== null || source.isOptional);
  }

  #composeAll(): Composed {
    return compose(
      this.all.map(({ said }) => said),
      this.#isAlone,
      this.#dependencies.check,
      this.#memory,
    );
  }

  #acceptAll(composed: Composed, speakers: readonly WatchedSource[]): void {
    for (const source of this.all) if (source.said !== source.accepted || speakers.includes(source)) source.accept();
    this.#apply(composed);
  }

  /** Not everything that was said last can be in force together: takes what one source just said, with what is in force of the others. */
  #takeAlone(source: WatchedSource, before: Said | null, problems: readonly Problem[]): void {
    const own = onlyChanges(source.said, before, source.accepted);
    const composed = compose(
      this.all.map((other) => (other === source ? own : other.accepted)),
      this.#isAlone,
      this.#dependencies.check,
      this.#memory,
    );
    const isWhole = composed.snapshot !== null && own === source.said;
    if (isWhole) source.accept();
    else source.refuse(problems);
    if (composed.snapshot === null) return;
    if (!isWhole && own !== null) source.acceptPartly(own);
    this.#apply(composed);
  }

  #apply(composed: Composed): void {
    if (composed.snapshot === null) return;
    const { problems } = this.#dependencies;
    this.#parts = composed.parts;
    problems.forget(this.#warnings.filter((old) => !composed.problems.some((problem) => problem.message === old.message)));
    this.#warnings = composed.problems;
    this.#names.follow(composed.snapshot);
    for (const warning of composed.problems) problems.report(warning);
  }
}

function standsAlone(sources: readonly ConfiguredSource[]): boolean {
  const [only] = sources;
  return sources.length === 1 && only !== undefined && !(isDocumentSource(only.source) && only.source.isFolder === true);
}

/** Of the documents of one source, the new version of those that changed, and what is in force of the others. */
function onlyChanges(now: Said | null, before: Said | null, accepted: Said | null): Said | null {
  if (now?.kind !== "documents" || before?.kind !== "documents" || accepted?.kind !== "documents") return now;
  const old = new Set(before.documents);
  const inForce = new Map(accepted.documents.map((document) => [document.name, document]));
  const documents = now.documents.flatMap((document) => (old.has(document) ? (inForce.get(document.name) ?? []) : [document]));
  const isAll = documents.length === now.documents.length && documents.every((document, index) => document === now.documents[index]);
  return isAll ? now : { kind: "documents", documents };
}
