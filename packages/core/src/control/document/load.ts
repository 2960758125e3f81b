import type { Problem } from "../../model/problem.ts";
import type { MeshSnapshot } from "../../model/snapshot.ts";
import { checkDocument } from "./check.ts";
import { parseDocument } from "./parse.ts";
import { codePlaces, type Places } from "./places.ts";
import { translateDocument } from "./translate.ts";

export interface LoadedDocument {
  /** null if there is at least one error among the problems. */
  readonly snapshot: MeshSnapshot | null;
  readonly problems: readonly Problem[];
}

/** Reads, checks and translates a document: text of the file `name`, or an object from the code called `name`. Every mistake is reported at once. */
export function loadDocument(source: string | object, name: string): LoadedDocument {
  if (typeof source === "object") return translated(source, codePlaces(name), []);
  const { value, places, problems } = parseDocument(source, name);
  return value === undefined ? { snapshot: null, problems } : translated(value, places, problems);
}

function translated(value: unknown, places: Places, found: readonly Problem[]): LoadedDocument {
  const checked = checkDocument(value, places);
  const problems = [...found, ...checked.problems];
  const isRefused = checked.document === undefined || found.length > 0;
  return { snapshot: checked.document && !isRefused ? translateDocument(checked.document, places) : null, problems };
}
