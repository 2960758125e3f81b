import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { type LoadedDocument, loadDocument } from "./document/load.ts";
import type { SourceSink } from "./source.ts";
import { type DocumentSink, LastVersion, type Loaded, loadWritten, type Standing, type WrittenDocument } from "./written-document.ts";

/** What becomes of the text or object of one document: how it is loaded, and who is told. */
export interface Reader<Value> {
  load(source: string | object): Loaded<Value>;
  update(value: Value): void;
  problem(problem: Problem): void;
  /** What happens while there has not been a good document yet, for people. */
  readonly meanwhile: string;
}

const MESH_WAITS = "the mesh waits for a good one";

/** Reads the document of this name by itself, to a snapshot. */
export function snapshotReader(name: string, sink: SourceSink): Reader<MeshSnapshot> {
  return {
    load: (source) => loadedSnapshot(loadDocument(source, name)),
    update: (snapshot) => sink.update(snapshot),
    problem: (problem) => sink.problem(problem),
    meanwhile: MESH_WAITS,
  };
}

/** Reads the document of this name as one of the documents of a mesh. */
export function documentReader(name: string, sink: DocumentSink, standing: Standing): Reader<WrittenDocument> {
  const last = new LastVersion();
  return {
    load: (source) => loadWritten(source, name, standing, last),
    update: (document) => sink.documents([document]),
    problem: (problem) => sink.problem(problem),
    meanwhile: standing.isOptional ? "the mesh goes on without it" : MESH_WAITS,
  };
}

/**
 * Hands a loaded document to whoever watches. Warnings come after the update they belong to, which ends what was wrong before;
 * errors end with what happens now.
 */
export function tell<Value>(reader: Reader<Value>, { value, problems }: Loaded<Value>, hasGood: boolean): void {
  if (value !== null) reader.update(value);
  const consequence = hasGood ? "the last good configuration stays in force" : reader.meanwhile;
  for (const [index, problem] of problems.entries()) {
    const isLast = value === null && index === problems.length - 1;
    reader.problem(isLast ? { ...problem, message: `${problem.message}; ${consequence}` } : problem);
  }
}

function loadedSnapshot({ snapshot, problems }: LoadedDocument): Loaded<MeshSnapshot> {
  return { value: snapshot, problems };
}
