import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { emptyHeaders, type HeaderMap, headerValue, type MeshRequest } from "@heddle/core";
import { nodeHttp } from "./node-http.ts";

const { validateHeaderName, validateHeaderValue } = nodeHttp;

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

const NO_TOKEN = /[^!#$%&'*+\-.^_`|~\w]/;
const NO_PATH = /[^\u0021-\u00ff]/;

/**
 * A request's head as node:http2 takes it. It looks at no value, and a gateway behind may write HTTP/1.1 from it, in which a line break
 * begins another header: throws TypeError as node:http does. `te` may say nothing but that trailers are welcome.
 */
export function requestHead({ method, scheme, authority, path, headers }: MeshRequest): OutgoingHttpHeaders {
  checkHead(method, authority, path);
  const head: OutgoingHttpHeaders = { ":method": method, ":scheme": scheme, ":authority": authority, ":path": path };
  const named = headers.connection === undefined ? null : namedBy(headers);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || OF_THE_CONNECTION.has(name) || named?.has(name)) continue;
    if (name === "te" && headerValue(headers, "te")?.toLowerCase() !== "trailers") continue;
    validateHeaderName(name);
    if (typeof value === "string") validateHeaderValue(name, value);
    else for (const one of value) validateHeaderValue(name, one);
    head[name] = value;
  }
  return head;
}

function checkHead(method: string, authority: string, path: string): void {
  if (method === "" || NO_TOKEN.test(method)) throw new TypeError(`method ${JSON.stringify(method)} must be a token`);
  if (path === "" || NO_PATH.test(path)) throw new TypeError("the path must have no spaces or control characters");
  validateHeaderValue("host", authority);
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
