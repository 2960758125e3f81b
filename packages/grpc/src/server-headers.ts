import type { IncomingHttpHeaders } from "node:http2";
import { emptyHeaders, type HeaderMap, type MeshRequest } from "@heddle/core";
import { receivedHeaders } from "@heddle/http";

/** Each header field that came, without the pseudo-header fields. */
export function calledWith(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): HeaderMap {
  // Fields of one name are told apart: of several that Node makes one of, a rule would see the first alone.
  const received = receivedHeaders({ headers, rawHeaders: [...rawHeaders] });
  const called = emptyHeaders();
  for (const name in received) if (!name.startsWith(":")) called[name] = received[name];
  return called;
}

/** The headers for the application, as the layers gave the request on: what they took away or changed is gone or changed here. */
export function shownHeaders(headers: IncomingHttpHeaders, came: MeshRequest, called: MeshRequest): IncomingHttpHeaders {
  if (called.headers === came.headers && called.path === came.path) return headers;
  const shown: IncomingHttpHeaders = {};
  for (const name of Object.keys(headers)) if (name.startsWith(":")) shown[name] = headers[name];
  shown[":path"] = called.path;
  for (const name in called.headers) {
    const value = called.headers[name];
    // What no layer changed stays as Node gives it: one text of several fields.
    if (value !== undefined) shown[name] = value === came.headers[name] ? headers[name] : value;
  }
  return shown;
}
