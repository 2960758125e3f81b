import { emptyHeaders, type HeaderMap } from "../message.ts";

/** A new header map without some. Not a copy that they are deleted from, which V8 would make slow for all who read it. */
export function headersWithout(headers: HeaderMap, names: readonly string[]): HeaderMap {
  const rest = emptyHeaders();
  for (const name in headers) if (!names.includes(name)) rest[name] = headers[name];
  return rest;
}
