import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { emptyHeaders, type HeaderMap, headerValue, type MeshRequest } from "@heddle/core";

/** Of one connection in HTTP/1.1, and forbidden in HTTP/2 (RFC 9113 8.2.2); the host is the authority. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** A request's head as node:http2 takes it. `te` may say nothing but that trailers are welcome. */
export function requestHead({ method, scheme, authority, path, headers }: MeshRequest): OutgoingHttpHeaders {
  const head: OutgoingHttpHeaders = { ":method": method, ":scheme": scheme, ":authority": authority, ":path": path };
  const named = headers.connection === undefined ? null : namedBy(headers);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || OF_THE_CONNECTION.has(name) || named?.has(name)) continue;
    if (name === "te" && headerValue(headers, "te")?.toLowerCase() !== "trailers") continue;
    head[name] = value;
  }
  return head;
}

/** Header fields of an answer, or its trailers, without what begins with a colon. */
export function headersOf(incoming: IncomingHttpHeaders): HeaderMap {
  const headers = emptyHeaders();
  for (const name in incoming) if (!name.startsWith(":")) headers[name] = incoming[name];
  return headers;
}

/** The fields that `connection` says are of this connection alone. */
function namedBy({ connection = [] }: HeaderMap): ReadonlySet<string> {
  const names = [connection].flat().flatMap((value) => value.split(","));
  return new Set(names.map((name) => name.trim().toLowerCase()));
}
