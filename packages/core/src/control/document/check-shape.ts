import { parseDuration } from "../../duration.ts";
import type { CheckMemory } from "./check-memory.ts";
import { expectation } from "./expectation.ts";
import { FORMATS } from "./formats.ts";
import type { ConditionKind, Kind, ListKind, MapKind, ObjectKind } from "./kinds.ts";
import { describe, type Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";

/** Deeper than any document needs. */
const MAX_DEPTH = 64;
/** More than any setting needs: what code puts into many places is copied for each, and must not fill the memory. */
const MAX_JSON_VALUES = 100_000;

type Plain = Record<string, unknown>;

/**
 * A copy of the value with everything removed that its kind refuses, each removal reported. Undefined if nothing is left of it.
 * Mappings are never removed from lists, so that their positions hold: a refused one leaves an empty one behind.
 */
export function checkShape(kind: Kind, value: unknown, mistakes: Mistakes, path: Path = [], memory?: CheckMemory): unknown {
  switch (kind.kind) {
    case "object":
      return checkObject(kind, value, mistakes, path, memory);
    case "map":
      return checkMap(kind, value, mistakes, path, memory);
    case "list":
      return checkList(kind, value, mistakes, path);
    case "off":
      return value === "off" ? value : checkShape(kind.or, value, mistakes, path);
    case "either":
      return checkShape(isMapping(value) ? kind.object : kind.scalar, value, mistakes, path);
    case "string":
      return checkString(kind.format, value, mistakes, path);
    case "json":
      return copyJson(value, mistakes, path, { values: 0, around: new Set() });
    default:
      return checkScalar(kind, value, mistakes, path);
  }
}

function checkScalar(
  kind: Exclude<Kind, { kind: "object" | "map" | "list" | "off" | "either" | "string" | "json" }>,
  value: unknown,
  mistakes: Mistakes,
  path: Path,
): unknown {
  switch (kind.kind) {
    case "integer":
      if (Number.isInteger(value) && Number(value) >= kind.min && Number(value) <= kind.max) return value;
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "true":
      if (value === true) return value;
      break;
    case "duration": {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= kind.minMs) return value;
      break;
    }
    case "condition":
      if (isCondition(kind, value)) return value;
      if (typeof value === "string" && kind.later?.some((word) => value.startsWith(word))) return later(value, mistakes, path);
      break;
    case "percent":
      if (isPercent(value)) return value;
      break;
    case "enum":
      if (kind.values.includes(value as string | number)) return value;
      if (typeof value !== "string") break;
      if (kind.prefixes?.some((prefix) => value.startsWith(prefix) && FORMATS.name.pattern.test(value.slice(prefix.length)))) return value;
      if (kind.later?.includes(value)) return later(value, mistakes, path);
      break;
    default:
      return kind satisfies never;
  }
  return refuse(kind, value, mistakes, path);
}

function isCondition({ words, minStatus, maxStatus }: ConditionKind, value: unknown): boolean {
  if (typeof value === "string") return words.includes(value);
  return Number.isInteger(value) && Number(value) >= minStatus && Number(value) <= maxStatus;
}

function isPercent(value: unknown): boolean {
  if (typeof value !== "number" || !(value >= 0 && value <= 100)) return false;
  return Math.abs(value * 10_000 - Math.round(value * 10_000)) < 1e-6;
}

function later(value: string, mistakes: Mistakes, path: Path): undefined {
  mistakes.add(path, `${describe(value)} is not built in this version`);
  return undefined;
}

function refuse(kind: Kind, value: unknown, mistakes: Mistakes, path: Path, hint = ""): undefined {
  const words = kind.kind === "enum" ? kind.values.filter((word) => typeof word === "string") : kind.kind === "condition" ? kind.words : [];
  const meant = typeof value === "string" ? mistakes.suggest(value, () => words) : undefined;
  const suggestion = meant === undefined ? hint : `; did you mean "${meant}"?`;
  mistakes.add(path, `found ${describe(value)}, expected ${expectation(kind)}${suggestion}`);
  return undefined;
}

function checkString(format: keyof typeof FORMATS, value: unknown, mistakes: Mistakes, path: Path): string | undefined {
  const { expected, pattern, refuse: reason } = FORMATS[format];
  if (typeof value !== "string") {
    const quoted = typeof value === "number" || typeof value === "boolean" ? `; write it in quotes: "${value}"` : "";
    mistakes.add(path, `found ${describe(value)}, expected ${expected}${quoted}`);
    return undefined;
  }
  const refused = pattern.test(value) ? reason?.(value) : "";
  if (refused === undefined) return value;
  mistakes.add(path, `found ${describe(value)}, expected ${expected}${refused === "" ? "" : `: ${refused}`}`);
  return undefined;
}

function checkObject(kind: ObjectKind, value: unknown, mistakes: Mistakes, path: Path, memory?: CheckMemory): Plain | undefined {
  if (!isMapping(value)) return refuse(kind, value, mistakes, path, value === null ? "; an empty one is written {}" : "");
  const checked: Plain = {};
  const meant = new Set<string>();
  for (const [name, held] of Object.entries(value)) {
    if (held === undefined) continue;
    const key = Object.hasOwn(kind.keys, name) ? kind.keys[name] : undefined;
    if (key === undefined) {
      mistakes.add([...path, name], unknownKey(kind, name, mistakes, meant), "key");
      continue;
    }
    const kept = checkShape(key.kind, held, mistakes, [...path, name], memory);
    if (kept !== undefined) checked[name] = kept;
  }
  checkRequired(kind, value, meant, mistakes, path);
  checkChoice(kind, value, meant, mistakes, path);
  return checked;
}

/** `meant`: keys that were probably meant by unknown ones, which are mistakes enough. */
function checkRequired(kind: ObjectKind, value: Plain, meant: ReadonlySet<string>, mistakes: Mistakes, path: Path): void {
  // Another way to say the same may come with what is not built: one mistake is enough then.
  if (kind.later?.some((name) => Object.hasOwn(value, name))) return;
  for (const [name, key] of Object.entries(kind.keys))
    if (key.required && read(value, name) === undefined && !meant.has(name))
      mistakes.add(path, `the key "${name}" is missing, expected ${expectation(key.kind)}`, "key");
}

function checkChoice(kind: ObjectKind, value: Plain, meant: ReadonlySet<string>, mistakes: Mistakes, path: Path): void {
  if (!kind.choice) return;
  const { of, required } = kind.choice;
  const given = of.filter((name) => read(value, name) !== undefined);
  if (given.length > 1) mistakes.add([...path, given[1] as string], `found ${given.join(" and ")}, expected only one of them`, "key");
  if (given.length === 0 && required && !of.some((name) => meant.has(name)))
    mistakes.add(path, `found none of its keys ${of.join(", ")}, expected one of them`);
}

function unknownKey(kind: ObjectKind, name: string, mistakes: Mistakes, allMeant: Set<string>): string {
  if (kind.later?.includes(name)) return `"${name}" is not built in this version`;
  const place = kind.elsewhere && Object.hasOwn(kind.elsewhere, name) ? kind.elsewhere[name] : undefined;
  if (place !== undefined) return `"${name}" does not belong here: ${place}`;
  const known = Object.keys(kind.keys);
  const meant = mistakes.suggest(name, () => [...known, ...(kind.later ?? [])]);
  if (meant !== undefined) allMeant.add(meant);
  const suggestion =
    meant === undefined ? "" : `; did you mean "${meant}"?${kind.later?.includes(meant) ? " (not built in this version)" : ""}`;
  return `found the unknown key ${describe(name)}, expected one of ${known.join(", ")}${suggestion}`;
}

function checkMap(kind: MapKind, value: unknown, mistakes: Mistakes, path: Path, memory?: CheckMemory): Plain | undefined {
  if (!isMapping(value)) return refuse(kind, value, mistakes, path, value === null ? "; an empty one is written {}" : "");
  const checked: Plain = Object.create(null);
  const { expected, pattern, refuse: reason } = FORMATS[kind.keyFormat];
  const folded = kind.foldsCase ? new Map<string, string>() : undefined;
  for (const [name, held] of Object.entries(value)) {
    if (held === undefined) continue;
    const at = [...path, name];
    const refused = pattern.test(name) ? reason?.(name) : "";
    if (refused !== undefined) {
      mistakes.add(at, `found the key ${describe(name)}, expected ${expected}${refused === "" ? "" : `: ${refused}`}`, "key");
      continue;
    }
    const twin = folded?.get(name.toLowerCase());
    if (twin !== undefined) mistakes.add(at, `found "${name}" beside "${twin}", which is the same header`, "key");
    folded?.set(name.toLowerCase(), name);
    // Where the value is refused the name stays known, or every reference to it would be a mistake too.
    checked[name] = checkNamed(kind.of, held, mistakes, at, memory) ?? (kind.of.kind === "object" ? {} : "");
  }
  if (Object.keys(value).length < (kind.atLeast ?? 0)) refuse(kind, value, mistakes, path);
  return checked;
}

/** What stands under a name of the user's choice is what a change leaves as it was, or not. */
function checkNamed(kind: Kind, value: unknown, mistakes: Mistakes, path: Path, memory?: CheckMemory): unknown {
  const known = memory?.shape(kind, value);
  if (known) return known;
  const before = mistakes.errors;
  const checked = checkShape(kind, value, mistakes, path, memory);
  const isRight = mistakes.errors === before && isMapping(value) && typeof checked === "object" && checked !== null;
  if (isRight) memory?.keepShape(kind, value, checked);
  return checked;
}

function checkList(kind: ListKind, value: unknown, mistakes: Mistakes, path: Path): unknown {
  if (kind.orOne && !Array.isArray(value)) return checkShape(kind.of, value, mistakes, path);
  if (!Array.isArray(value) || value.length < (kind.atLeast ?? 0)) return refuse(kind, value, mistakes, path);
  const checked: unknown[] = [];
  for (let index = 0; index < value.length; index++) {
    const kept = checkShape(kind.of, value[index], mistakes, [...path, index]);
    if (kept !== undefined || kind.of.kind === "object") checked.push(kept ?? {});
  }
  return checked;
}

interface Copying {
  values: number;
  /** What is being copied now: to find one of these again is to go round for ever. */
  readonly around: Set<object>;
}

function copyJson(value: unknown, mistakes: Mistakes, path: Path, copying: Copying): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return value;
  const isContainer = Array.isArray(value) || isMapping(value);
  if (!isContainer || path.length >= MAX_DEPTH || ++copying.values > MAX_JSON_VALUES || copying.around.has(value))
    return refuse({ kind: "json" }, value, mistakes, path, isContainer && copying.around.has(value) ? ": it refers to itself" : "");
  copying.around.add(value);
  const copy = copyContainer(value, mistakes, path, copying);
  copying.around.delete(value);
  return copy;
}

function copyContainer(value: Plain | readonly unknown[], mistakes: Mistakes, path: Path, copying: Copying): unknown {
  // Not map, which passes over the holes of a list: JSON has none.
  if (Array.isArray(value)) return Array.from(value, (item, index) => copyJson(item, mistakes, [...path, index], copying));
  const copy: Plain = Object.create(null);
  for (const [name, held] of Object.entries(value)) if (held !== undefined) copy[name] = copyJson(held, mistakes, [...path, name], copying);
  return copy;
}

/** A mapping from text or a plain object from code; not a list, a date or an instance of something. */
export function isMapping(value: unknown): value is Plain {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function read(value: Plain, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
