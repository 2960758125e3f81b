import type { Clock } from "../clock.ts";
import type { MeshDocument } from "../gen/document.ts";
import type { Problem } from "../model/problem.ts";
import { checkDocument, checkDocumentShape } from "./document/check.ts";
import { CheckMemory } from "./document/check-memory.ts";
import { isMapping } from "./document/check-shape.ts";
import { parseDocument } from "./document/parse.ts";
import { codePlaces, type Path, type Places } from "./document/places.ts";
import { ServiceBlocks } from "./document/service-blocks.ts";
import { takeRemovals } from "./removals.ts";
import type { ControlSource, SourceSink } from "./source.ts";

/** One native document as a source has it: right by itself, not yet merged with the others. */
export interface WrittenDocument {
  /** What tells it from the other documents of its source: a file's path. */
  readonly name: string;
  readonly document: MeshDocument;
  /** The parts that it takes away from earlier documents. */
  readonly removals: readonly Path[];
  readonly places: Places;
}

/** What a source tells that has documents. */
export interface DocumentSink extends SourceSink {
  /** All of its documents, in the order in which the later one wins. */
  documents(documents: readonly WrittenDocument[]): void;
}

/** How a source stands among the sources of a mesh. */
export interface Standing {
  /** There is no other document, so that nothing is merged and nothing can be removed. */
  readonly isAlone: boolean;
  readonly isOptional: boolean;
}

/** A control source that can also tell the documents behind its snapshots, so that they can be merged with those of other sources. */
export interface DocumentSource extends ControlSource {
  watchDocuments(sink: DocumentSink, clock: Clock, standing: Standing): () => void;
  /** It may have many documents, or none. */
  readonly isFolder?: boolean;
}

export function isDocumentSource(source: ControlSource): source is DocumentSource {
  return typeof (source as Partial<DocumentSource>).watchDocuments === "function";
}

/** What was read, or what kept it from being read. */
export interface Loaded<Value> {
  readonly value: Value | null;
  readonly problems: readonly Problem[];
}

/** Reads and checks a document by itself: text of the file `name`, or an object from the code called `name`. */
export function loadWritten(source: string | object, name: string, { isAlone }: Standing, last?: LastVersion): Loaded<WrittenDocument> {
  if (typeof source === "object") return checkWritten(source, name, isAlone ? codePlaces(name) : namedPlaces(name), isAlone);
  const { value, places, problems } = parseDocument(source, name, last?.blocks);
  if (value === undefined || problems.length > 0) return { value: null, problems };
  const loaded = checkWritten(value, name, places, isAlone, last?.checks);
  // What was read is not needed any more where what is left of it after the check says all of it.
  if (loaded.value?.removals.length === 0) last?.blocks.replace(value, loaded.value.document.services ?? {});
  return loaded;
}

/** What is known of a document from when it was read before. */
export class LastVersion {
  readonly blocks: ServiceBlocks = new ServiceBlocks();
  readonly checks: CheckMemory = new CheckMemory();
}

/** Checks what was read as one document of several, or as the only one. */
export function checkWritten(
  value: unknown,
  name: string,
  places: Places,
  isAlone: boolean,
  checks?: CheckMemory,
): Loaded<WrittenDocument> {
  const { rest, removals } = isAlone || !isMapping(value) ? { rest: value, removals: [] } : takeRemovals(value);
  const { document, problems } = isAlone ? checkDocument(rest, places, checks) : checkDocumentShape(rest, places, checks);
  return { value: document ? { name, document, removals, places } : null, problems };
}

/** Where there are several documents, a path alone does not say in which. */
function namedPlaces(name: string): Places {
  const { where } = codePlaces(name);
  return { where: (path, of) => `${name} ${where(path, of)}`, origin: () => name };
}
