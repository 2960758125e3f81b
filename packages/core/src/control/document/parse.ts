import type { Problem } from "../../model/problem.ts";
import { Lines } from "./lines.ts";
import type { Place } from "./place-tree.ts";
import { codePlaces, type Path, type Places } from "./places.ts";
import { readYaml } from "./read-yaml.ts";
import type { ServiceBlocks } from "./service-blocks.ts";

/** A document that holds more is refused before it can hold up the process. */
export const MAX_DOCUMENT_CHARACTERS: number = 16 * 1024 * 1024;

export interface ParsedDocument {
  /** What the text says, as plain data; null-prototype objects. Undefined if it cannot be read. */
  readonly value: unknown;
  /** Where in the text each part of the value stands. */
  readonly places: Places;
  readonly problems: readonly Problem[];
}

/**
 * Reads YAML 1.2, or JSON if the file's name says so. Never throws: what it cannot read it reports, with line and column. Given the
 * blocks of the last version, it reads of most documents only what has changed since; the result is the same.
 */
export function parseDocument(text: string, fileName: string, blocks?: ServiceBlocks): ParsedDocument {
  if (text.length > MAX_DOCUMENT_CHARACTERS)
    return refused(fileName, `found ${text.length} characters, expected at most ${MAX_DOCUMENT_CHARACTERS}`);
  const lines = new Lines(text);
  const at = (offset: number): string => `${fileName}:${lines.at(offset)}`;
  const isJson = fileName.toLowerCase().endsWith(".json");
  const inBlocks = isJson ? undefined : blocks?.read(text);
  if (inBlocks) return { value: inBlocks.value, places: textPlaces(fileName, inBlocks.find, at), problems: [] };
  const { data, mistakes } = readYaml(text);
  const problems = mistakes.map(({ offset, message }) => problem(at(offset), message));
  if (data === null) return { value: undefined, places: codePlaces(fileName), problems };
  const strict = isJson ? jsonMistake(text, fileName) : undefined;
  if (strict) return { value: undefined, places: codePlaces(fileName), problems: [strict] };
  const { value, place, tree } = data;
  return { value, places: textPlaces(fileName, (path) => tree?.find(path) ?? place, at), problems };
}

function refused(where: string, message: string): ParsedDocument {
  return { value: undefined, places: codePlaces(where), problems: [problem(where, message)] };
}

function problem(where: string, message: string): Problem {
  return { where, message, severity: "error" };
}

/** YAML reads nearly all JSON and a lot that is none; a file that calls itself JSON has to be. */
function jsonMistake(text: string, fileName: string): Problem | undefined {
  try {
    JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /\(line (\d+) column (\d+)\)/.exec(message);
    return problem(position ? `${fileName}:${position[1]}:${position[2]}` : `${fileName}:1:1`, `not valid JSON: ${message}`);
  }
}

function textPlaces(fileName: string, find: (path: Path) => Place, at: (offset: number) => string): Places {
  const where = (path: Path, of: "key" | "value"): string => {
    const place = find(path);
    return at(of === "key" ? place.key : place.value);
  };
  return { where, origin: (path) => (path.length === 0 ? fileName : where(path, "key")) };
}
