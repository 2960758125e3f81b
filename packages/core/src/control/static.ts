import type { MeshDocument } from "../gen/document.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { type LoadedDocument, loadDocument } from "./document/load.ts";
import type { ControlSource, SourceSink } from "./source.ts";
import { tell } from "./tell.ts";

/** What code may hand over: a native document, or a snapshot that it made itself. */
export type StaticConfiguration = MeshDocument | MeshSnapshot | object;

export interface StaticSource extends ControlSource {
  /** Replaces the configuration. A document with mistakes is reported, and what was in force stays. */
  update(configuration: StaticConfiguration): void;
}

/** Configuration that stands in the code. Tells whoever watches at once. */
export function staticSource(configuration: StaticConfiguration, name = "static"): StaticSource {
  const sinks = new Set<SourceSink>();
  let loaded = load(configuration, name);
  // The newest without errors: what a sink that starts to watch after a bad update is told first.
  let good = loaded.snapshot ? loaded : undefined;
  return {
    name,
    watch(sink) {
      const watching: SourceSink = { update: (snapshot) => sink.update(snapshot), problem: (problem) => sink.problem(problem) };
      sinks.add(watching);
      if (good && good !== loaded) tell(watching, good, true);
      tell(watching, loaded, good !== undefined);
      return () => {
        sinks.delete(watching);
      };
    },
    update(next) {
      loaded = load(next, name);
      if (loaded.snapshot) good = loaded;
      for (const sink of [...sinks]) tell(sink, loaded, good !== undefined);
    },
  };
}

function load(configuration: StaticConfiguration, name: string): LoadedDocument {
  return isSnapshot(configuration) ? { snapshot: configuration, problems: [] } : loadDocument(configuration, name);
}

function isSnapshot(value: object): value is MeshSnapshot {
  const candidate = value as Partial<Record<keyof MeshSnapshot, unknown>>;
  return candidate.backends instanceof Map && candidate.endpointSets instanceof Map && Array.isArray(candidate.virtualHosts);
}
