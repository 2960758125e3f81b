import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import type { Problem } from "../../model/problem.ts";
import { boundedTokens } from "./nesting.ts";
import { codePlaces, type Path, type Places } from "./places.ts";
import { plainData } from "./plain-data.ts";

const require = createRequire(import.meta.url);

/** A document that holds more is refused before it can hold up the process. */
export const MAX_DOCUMENT_CHARACTERS: number = 16 * 1024 * 1024;

/** After so many syntax errors the next ones are only echoes. */
const MOST_SYNTAX_ERRORS = 20;

export interface ParsedDocument {
  /** What the text says, as plain data; null-prototype objects. Undefined if it cannot be read. */
  readonly value: unknown;
  /** Where in the text each part of the value stands. */
  readonly places: Places;
  readonly problems: readonly Problem[];
}

/** Reads YAML 1.2, or JSON if the file's name says so. Never throws: what it cannot read it reports, with line and column. */
export function parseDocument(text: string, fileName: string): ParsedDocument {
  if (text.length > MAX_DOCUMENT_CHARACTERS)
    return refused(fileName, `found ${text.length} characters, expected at most ${MAX_DOCUMENT_CHARACTERS}`);
  // Loaded on first need: a mesh configured in code never reads YAML.
  const yaml = require("yaml") as typeof Yaml;
  const lines = new yaml.LineCounter();
  const { tokens, tooDeepAt } = boundedTokens(yaml, text, lines);
  const document = firstDocument(yaml, tokens, text.length);
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return `${fileName}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const deep = tooDeepAt();
  if (deep !== undefined) return refused(at(deep), "the document is nested too deeply to be read");
  const syntax = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (syntax.length > 0)
    return {
      value: undefined,
      places: codePlaces(fileName),
      problems: syntax.slice(0, MOST_SYNTAX_ERRORS).map((error) => problem(at(error.pos[0]), syntaxMessage(error))),
    };
  const strict = fileName.toLowerCase().endsWith(".json") ? jsonMistake(text, fileName) : undefined;
  if (strict) return { value: undefined, places: codePlaces(fileName), problems: [strict] };
  if (document.contents === null) return refused(`${fileName}:1:1`, "found an empty document, expected a mapping with apiVersion");
  const { value, positions, mistakes } = plainData(yaml, document.contents);
  return {
    value,
    places: textPlaces(fileName, value, positions, at),
    problems: mistakes.map(({ offset, message }) => problem(at(offset), message)),
  };
}

/** As `yaml.parseDocument` does, of tokens. */
function firstDocument(yaml: typeof Yaml, tokens: Iterable<Yaml.CST.Token>, length: number): Yaml.Document.Parsed {
  const composer = new yaml.Composer({ prettyErrors: false, uniqueKeys: false, logLevel: "error" });
  const [document, second] = composer.compose(tokens, true, length);
  // With `forceDoc` there always is one.
  if (document === undefined) throw new Error("the reader of YAML gave no document");
  if (second) document.errors.push(new yaml.YAMLParseError([second.range[0], second.range[1]], "MULTIPLE_DOCS", "a second document"));
  return document as Yaml.Document.Parsed;
}

function refused(where: string, message: string): ParsedDocument {
  return { value: undefined, places: codePlaces(where), problems: [problem(where, message)] };
}

function problem(where: string, message: string): Problem {
  return { where, message, severity: "error" };
}

function syntaxMessage(error: Yaml.YAMLError): string {
  switch (error.code as string) {
    case "MULTIPLE_DOCS":
      return "found a second document after ---, expected one document in a file";
    case "RESOURCE_EXHAUSTION":
      return "the document is nested too deeply to be read";
    case "TAG_RESOLVE_FAILED":
      return `found a tag, expected plain values: ${error.message}`;
    default:
      return `not valid YAML: ${error.message}`;
  }
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

function textPlaces(
  fileName: string,
  root: unknown,
  positions: ReturnType<typeof plainData>["positions"],
  at: (offset: number) => string,
): Places {
  const where = (path: Path, of: "key" | "value"): string => {
    let container: unknown = root;
    let place = positions.root;
    for (const step of path) {
      const entries = typeof container === "object" && container !== null ? positions.entries.get(container) : undefined;
      const next = entries?.get(step);
      // A path into nothing (a missing key) stands where its last existing part does.
      if (!next) break;
      place = next;
      container = (container as Readonly<Record<string | number, unknown>>)[step];
    }
    return at(of === "key" ? place.key : place.value);
  };
  return { where, origin: (path) => (path.length === 0 ? fileName : where(path, "key")) };
}
