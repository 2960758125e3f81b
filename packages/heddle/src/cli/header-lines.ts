import { UsageError } from "./command.ts";

/** Headers by lower-case name, without a prototype: a header may be called `constructor`. One that comes again is a list. */
export type HeaderLines = Record<string, string | string[]>;

/** What `-H 'name: value'` says. Throws UsageError for a line without a name. */
export function parseHeaderLines(lines: readonly string[]): HeaderLines {
  const headers: HeaderLines = Object.create(null);
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (name === "") throw new UsageError(`-H ${JSON.stringify(line)}: expected "name: value"`);
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}
