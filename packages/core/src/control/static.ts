import type { MeshDocument } from "../gen/document.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { isMapping } from "./document/check-shape.ts";
import { loadDocument } from "./document/load.ts";
import type { ControlSource } from "./source.ts";
import { documentReader, type Reader, snapshotReader, tell } from "./tell.ts";
import type { DocumentSource } from "./written-document.ts";

/** What code may hand over: a native document, or a snapshot that it made itself. */
export type StaticConfiguration = MeshDocument | MeshSnapshot | object;

export interface StaticSource extends ControlSource {
  /** Replaces the configuration. A document with mistakes is reported, and what was in force stays. */
  update(configuration: StaticConfiguration): void;
}

/** Configuration that stands in the code. Tells whoever watches at once. */
export function staticSource(configuration: StaticConfiguration, name = "static"): StaticSource {
  const watchers = new Set<(next: StaticConfiguration) => void>();
  let current = copy(configuration);
  // The newest without errors: what a sink that starts to watch after a bad update is told first.
  let good = isGood(current, name) ? current : undefined;
  const watch = <Value>(reader: Reader<Value>, giveSnapshot: (snapshot: MeshSnapshot) => void): (() => void) => {
    let hasGood = false;
    const take = (next: StaticConfiguration): void => {
      const loaded = isSnapshot(next) ? null : reader.load(next);
      hasGood ||= loaded === null || loaded.value !== null;
      if (loaded) tell(reader, loaded, hasGood);
      else giveSnapshot(next as MeshSnapshot);
    };
    if (good !== undefined && good !== current) take(good);
    take(current);
    watchers.add(take);
    return () => {
      watchers.delete(take);
    };
  };
  const source: StaticSource & DocumentSource = {
    name,
    watch: (sink) => watch(snapshotReader(name, sink), (snapshot) => sink.update(snapshot)),
    watchDocuments: (sink, _clock, standing) => watch(documentReader(name, sink, standing), (snapshot) => sink.update(snapshot)),
    update(next) {
      current = copy(next);
      if (isGood(current, name)) good = current;
      for (const take of [...watchers]) take(current);
    },
  };
  return source;
}

function isGood(configuration: StaticConfiguration, name: string): boolean {
  return isSnapshot(configuration) || loadDocument(configuration, name).snapshot !== null;
}

function isSnapshot(value: object): value is MeshSnapshot {
  const candidate = value as Partial<Record<keyof MeshSnapshot, unknown>>;
  return candidate.backends instanceof Map && candidate.endpointSets instanceof Map && Array.isArray(candidate.virtualHosts);
}

/** Later changes of the object must not change what is told. Snapshots are never changed in place and stay themselves. */
function copy(configuration: StaticConfiguration): StaticConfiguration {
  return isSnapshot(configuration) ? configuration : (copyPlain(configuration, new Map()) as object);
}

/** What stands in several places is copied once, and what refers to itself goes on doing so: the check says what is wrong with it. */
function copyPlain(value: unknown, copies: Map<object, object>): unknown {
  const isList = Array.isArray(value);
  if (!isList && !isMapping(value)) return value;
  const known = copies.get(value);
  if (known) return known;
  if (isList) {
    const list: unknown[] = [];
    copies.set(value, list);
    for (const item of value) list.push(copyPlain(item, copies));
    return list;
  }
  const plain: Record<string, unknown> = Object.create(null);
  copies.set(value, plain);
  for (const [key, held] of Object.entries(value)) plain[key] = copyPlain(held, copies);
  return plain;
}
