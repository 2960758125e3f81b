import type { MeshDocument } from "../../gen/document.ts";
import type { Problem } from "../../model/problem.ts";
import type { CheckMemory } from "./check-memory.ts";
import { checkShape } from "./check-shape.ts";
import { crossCheck } from "./cross-checks.ts";
import { describe, Mistakes } from "./mistakes.ts";
import { codePlaces, type Places } from "./places.ts";
import { API_VERSION, DOCUMENT } from "./schema.ts";

export interface CheckedDocument {
  /** A copy of the value that holds only what the document may say; absent if there are errors. */
  readonly document?: MeshDocument;
  readonly problems: readonly Problem[];
}

/** Checks a document and reports every mistake at once. Never throws on values that came from text. */
export function checkDocument(value: unknown, places: Places = codePlaces("document"), memory?: CheckMemory): CheckedDocument {
  return check(value, places, crossCheck, memory);
}

/** Checks a document that is one of several: what concerns more than one key may stand in another and is left to the whole. */
export function checkDocumentShape(value: unknown, places: Places, memory?: CheckMemory): CheckedDocument {
  return check(value, places, () => {}, memory);
}

function check(value: unknown, places: Places, crossChecks: typeof crossCheck, memory?: CheckMemory): CheckedDocument {
  const mistakes = new Mistakes(places);
  const foreign = foreignVersion(value);
  if (foreign !== undefined) {
    // Nothing else can be said about a format that this version does not know.
    mistakes.add(["apiVersion"], `found ${describe(foreign)}, expected ${JSON.stringify(API_VERSION)}, the only version this heddle reads`);
    return { problems: mistakes.problems };
  }
  const document = checkShape(DOCUMENT, value, mistakes, [], memory);
  if (document === undefined) return { problems: mistakes.problems };
  // What is left after the shape was checked has no impossible values, but may miss what was refused.
  crossChecks(document as MeshDocument, mistakes, memory);
  const problems = inReadingOrder(mistakes.problems);
  // A warning drawn from what is left of a document with errors may be wrong.
  return mistakes.hasErrors
    ? { problems: problems.filter((problem) => problem.severity === "error") }
    : { document: document as MeshDocument, problems };
}

function foreignVersion(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "apiVersion")) return undefined;
  const version = (value as { apiVersion: unknown }).apiVersion;
  return typeof version === "string" && version !== API_VERSION ? version : undefined;
}

/** By line and column; problems without them keep their order. */
function inReadingOrder(problems: readonly Problem[]): readonly Problem[] {
  const placed = problems.map((problem) => {
    const [, line, column] = /:(\d+):(\d+)$/.exec(problem.where) ?? [];
    return { problem, line: Number(line ?? 0), column: Number(column ?? 0) };
  });
  placed.sort((a, b) => a.line - b.line || a.column - b.column);
  return placed.map(({ problem }) => problem);
}
