import { fileSource } from "./file.ts";
import { folderSource, isFolderPath } from "./folder.ts";
import type { ControlSource } from "./source.ts";
import { staticSource } from "./static.ts";

/** One of several sources, with how it stands among them. */
export interface SourceEntry {
  readonly source: string | object | ControlSource;
  /** The mesh is ready without it, and goes on without it until it has something good to say. Default false. */
  readonly optional?: boolean;
}

/** A source and how it stands among the others. */
export interface ConfiguredSource {
  readonly source: ControlSource;
  readonly isOptional: boolean;
  /** A document in the code: what is wrong with it stays wrong. */
  readonly isFixed: boolean;
}

/** Tells a control source from a document: no document has a `watch` that is a function. */
export function isControlSource(value: unknown): value is ControlSource {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as Partial<Record<keyof ControlSource, unknown>>;
  return typeof candidate.watch === "function" && typeof candidate.name === "string";
}

/**
 * The source for whatever one `config` may be: the path of a file, of a folder or a pattern of files, a document, or a source already.
 * Throws TypeError for anything else.
 */
export function documentSource(config: string | object, name?: string): ControlSource {
  if (typeof config === "string") return isFolderPath(config) ? folderSource(config) : fileSource(config);
  if (isControlSource(config)) return config;
  if (typeof config === "object" && config !== null && !Array.isArray(config)) return staticSource(config, name);
  const found = Array.isArray(config) ? "an array" : String(config);
  throw new TypeError(`config: found ${found}, expected a path, a document or a control source`);
}

/** The sources of a mesh, in the order in which the later one wins. Throws TypeError for what is no configuration, naming its place. */
export function configuredSources(config: string | object): readonly ConfiguredSource[] {
  if (!Array.isArray(config)) return [{ source: documentSource(config), isOptional: false, isFixed: isFixed(config) }];
  if (config.length === 0) throw new TypeError("config: found an empty array, expected at least one source");
  return config.map((entry: unknown, index) => configuredSource(entry, index));
}

function configuredSource(entry: unknown, index: number): ConfiguredSource {
  const { source: given, optional } = isSourceEntry(entry) ? entry : { source: entry, optional: false };
  if (typeof given !== "string" && (typeof given !== "object" || given === null || Array.isArray(given))) {
    const found = Array.isArray(given) ? "an array" : String(given);
    throw new TypeError(`config[${index}]: found ${found}, expected a path, a document, a control source or { source, optional: true }`);
  }
  return { source: documentSource(given, `config[${index}]`), isOptional: optional === true, isFixed: isFixed(given) };
}

function isFixed(config: string | object): boolean {
  return typeof config === "object" && !isControlSource(config);
}

/** No document has a key `source`. */
function isSourceEntry(entry: unknown): entry is SourceEntry {
  return typeof entry === "object" && entry !== null && !isControlSource(entry) && Object.hasOwn(entry, "source");
}
