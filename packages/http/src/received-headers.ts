import type { IncomingMessage } from "node:http";
import type { HeaderMap } from "@heddle/core";

/**
 * Each field that came. Node makes one text of several fields of a name, or drops all but the first, so that a rule about one of them would
 * be passed by sending a second. Cookies are the exception: HTTP/2 sends one list of them in as many fields as it likes.
 */
export function receivedHeaders({ headers, rawHeaders }: Pick<IncomingMessage, "headers" | "rawHeaders">): HeaderMap {
  if (Object.keys(headers).length * 2 >= rawHeaders.length) return headers;
  const received: HeaderMap = { ...headers };
  for (const [name, fields] of fieldsByName(rawHeaders)) {
    if (fields.length > 1 && name !== "cookie" && typeof received[name] === "string") received[name] = fields;
  }
  return received;
}

/** Names in lower case. */
function fieldsByName(rawHeaders: readonly string[]): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const fields = byName.get(name) ?? [];
    fields.push(rawHeaders[index + 1] ?? "");
    byName.set(name, fields);
  }
  return byName;
}
