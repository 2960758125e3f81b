import type { Duplex } from "node:stream";
import type { Cancel } from "./cancel.ts";
import type { Attempt, RequestContext } from "./context.ts";
import { PushBody } from "./push-body.ts";

/** Header fields by lower-case name. Objects made by the mesh have no prototype, so that no header name is special. */
export type HeaderMap = Record<string, string | string[] | undefined>;

/** What can be sent. Strings, bytes and nothing can be sent again as they are; a stream only through a replay buffer. */
export type RequestBody = null | string | Uint8Array | AsyncIterable<Uint8Array | string>;

/**
 * One request on its way, the same for HTTP and gRPC, in and out. Never changed in place: a layer that changes it derives a new
 * one with {@link derive}. What is counted or remembered lives on `context`, which all derived requests share.
 */
export interface MeshRequest {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** `host` or `host:port`, lower case. */
  readonly authority: string;
  /** Path and query, as on the wire. */
  readonly path: string;
  readonly headers: HeaderMap;
  readonly body: RequestBody;
  readonly context: RequestContext;
  /** Stops this request, or this attempt of it. */
  readonly cancel: Cancel;
  /** The current try; null above the attempts layer. */
  readonly attempt: Attempt | null;
}

/**
 * Envoy's name. On a request: the number of this try, as counted by the caller; above 1 the receiver's own calls are not retried.
 * On an answer: it comes from retries further down, and is not worth another.
 */
export const ATTEMPT_COUNT_HEADER = "x-envoy-attempt-count";

export interface MeshResponse {
  readonly status: number;
  readonly headers: HeaderMap;
  readonly body: PushBody;
  /**
   * The byte pipe of an upgrade (101) or a CONNECT (2xx), whose owner is whoever takes it; absent from every other answer. `body` is
   * empty and ends when the pipe closes; giving the body up cuts the pipe.
   */
  readonly socket?: Duplex;
}

/** Asks for a byte pipe: an upgrade carries its protocol as the header `upgrade`. */
export function isUpgrade({ method, headers }: MeshRequest): boolean {
  return method === "CONNECT" || headers.upgrade !== undefined;
}

export function derive(request: MeshRequest, change: Partial<MeshRequest>): MeshRequest {
  return {
    method: change.method ?? request.method,
    scheme: change.scheme ?? request.scheme,
    authority: change.authority ?? request.authority,
    path: change.path ?? request.path,
    headers: change.headers ?? request.headers,
    body: change.body === undefined ? request.body : change.body,
    context: request.context,
    cancel: change.cancel ?? request.cancel,
    attempt: change.attempt ?? request.attempt,
  };
}

/**
 * Objects without Object.prototype, made by a constructor: V8 keeps those fast, while `Object.create(null)` makes a dictionary whose
 * copies cost ten times as much. Every header map of the mesh is made here, so that all have one shape.
 */
const HeaderObject = function HeaderObject() {} as unknown as new () => HeaderMap;
HeaderObject.prototype = Object.freeze(Object.create(null));

/** A header map without fields, safe to fill. */
export function emptyHeaders(): HeaderMap {
  return new HeaderObject();
}

/** A new header map with the same fields, safe to change. */
export function copyHeaders(headers: HeaderMap): HeaderMap {
  const copy = new HeaderObject();
  for (const name in headers) copy[name] = headers[name];
  return copy;
}

/** The first value of a header field. */
export function headerValue(headers: HeaderMap, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "object" ? value[0] : value;
}

/** For people: what was asked of whom. Without the query, which may hold what must not be kept. The call of a resource has no method. */
export function requestName({ method, scheme, authority, path }: MeshRequest): string {
  if (method === "") return authority;
  const query = path.indexOf("?");
  return `${method} ${scheme}://${authority}${query < 0 ? path : path.slice(0, query)}`;
}

/** The request and what refused it; of a function's call, which is named like its resource, the one name. */
export function nameAt(request: MeshRequest, backend: string): string {
  const name = requestName(request);
  return name === backend ? name : `${name}: ${backend}`;
}

/** An answer made by the mesh itself. */
export function localResponse(status: number, body: string | null, headers?: HeaderMap): MeshResponse {
  const all = copyHeaders(headers ?? {});
  if (body !== null) all["content-length"] = String(Buffer.byteLength(body));
  return { status, headers: all, body: PushBody.of(body) };
}
