import { fileSource } from "./file.ts";
import type { ControlSource } from "./source.ts";
import { staticSource } from "./static.ts";

/** Tells a control source from a document: no document has a `watch` that is a function. */
export function isControlSource(value: unknown): value is ControlSource {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as Partial<Record<keyof ControlSource, unknown>>;
  return typeof candidate.watch === "function" && typeof candidate.name === "string";
}

/** The source for whatever a `config` option may be: a path, a document, or a source already. Throws TypeError for anything else. */
export function documentSource(config: string | object): ControlSource {
  if (typeof config === "string") return fileSource(config);
  if (isControlSource(config)) return config;
  if (typeof config === "object" && config !== null && !Array.isArray(config)) return staticSource(config);
  const found = Array.isArray(config) ? "an array (several sources are not built in this version)" : String(config);
  throw new TypeError(`config: found ${found}, expected a path, a document or a control source`);
}
