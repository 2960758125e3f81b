import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import { boundedTokens } from "./nesting.ts";
import { type PlainData, plainData } from "./plain-data.ts";

const require = createRequire(import.meta.url);

/** After so many syntax errors the next ones are only echoes. */
const MOST_SYNTAX_ERRORS = 20;

/** What is wrong with a text, and where. */
export interface TextMistake {
  readonly offset: number;
  readonly message: string;
}

export interface ReadYaml {
  /** Null if the text cannot be read, or is empty. */
  readonly data: PlainData | null;
  readonly mistakes: readonly TextMistake[];
}

/** Reads a text of YAML 1.2. Never throws. */
export function readYaml(text: string): ReadYaml {
  // Loaded on first need: a mesh configured in code never reads YAML.
  const yaml = require("yaml") as typeof Yaml;
  const { tokens, tooDeepAt } = boundedTokens(yaml, text);
  const document = firstDocument(yaml, tokens, text.length);
  const deep = tooDeepAt();
  if (deep !== undefined) return refused(deep, "the document is nested too deeply to be read");
  const syntax = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (syntax.length > 0) {
    const first = syntax.slice(0, MOST_SYNTAX_ERRORS);
    return { data: null, mistakes: first.map((error) => ({ offset: error.pos[0], message: syntaxMessage(error) })) };
  }
  if (document.contents === null) return refused(0, "found an empty document, expected a mapping with apiVersion");
  const data = plainData(yaml, document.contents);
  return { data, mistakes: data.mistakes };
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

function refused(offset: number, message: string): ReadYaml {
  return { data: null, mistakes: [{ offset, message }] };
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
