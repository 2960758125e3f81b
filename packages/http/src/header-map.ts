import { emptyHeaders, type HeaderMap } from "@heddle/core";

/** Headers as callers have them: an object, `Headers`, or any iterable of pairs. */
export type HeadersInput =
  | Readonly<Record<string, string | number | readonly string[] | undefined>>
  | Iterable<readonly [string, string | readonly string[] | undefined]>;

/** What belongs to one connection and not to the message (RFC 9110 7.6.1), and undici refuses; the transport writes its own. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

/** For requests without any. */
export const NO_HEADERS: HeaderMap = Object.freeze(emptyHeaders());

/** A new map: lower-case names on an object without a prototype. `host` stays; the fields of one connection are left out. */
export function headerMap(input: HeadersInput | readonly unknown[] | null | undefined): HeaderMap {
  const map = emptyHeaders();
  if (input === null || input === undefined) return map;
  if (Array.isArray(input) && !Array.isArray(input[0])) addFlat(map, input);
  else if (isIterable(input)) for (const [name, value] of input as Iterable<readonly [unknown, unknown]>) add(map, name, value);
  else for (const name of Object.keys(input)) add(map, name, (input as Record<string, unknown>)[name]);
  return map;
}

function addFlat(map: HeaderMap, list: readonly unknown[]): void {
  if (list.length % 2 !== 0) throw new TypeError("headers: a flat list must alternate names and values");
  for (let index = 0; index < list.length; index += 2) add(map, list[index], list[index + 1]);
}

function add(map: HeaderMap, name: unknown, value: unknown): void {
  if (value === undefined) return;
  const key = text(name).toLowerCase();
  if (OF_THE_CONNECTION.has(key)) return;
  const written = Array.isArray(value) ? value.map(text) : text(value);
  const before = map[key];
  map[key] = before === undefined ? written : ([] as string[]).concat(before, written);
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  return Buffer.isBuffer(value) ? value.toString("latin1") : String(value ?? "");
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}
