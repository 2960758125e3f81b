import { copyHeaders, type HeaderMap } from "../message.ts";
import type { HeaderEdit } from "../model/route.ts";

/** A new header map with the edit applied: set, then add, then remove. Values are literal. */
export function editHeaders(headers: HeaderMap, edit: HeaderEdit): HeaderMap {
  const edited = copyHeaders(headers);
  for (const [name, value] of Object.entries(edit.set)) edited[name.toLowerCase()] = value;
  for (const [name, value] of Object.entries(edit.add)) append(edited, name.toLowerCase(), value);
  for (const name of edit.remove) delete edited[name.toLowerCase()];
  return edited;
}

function append(headers: HeaderMap, name: string, value: string): void {
  const present = headers[name];
  if (present === undefined) headers[name] = value;
  else headers[name] = typeof present === "string" ? [present, value] : [...present, value];
}
