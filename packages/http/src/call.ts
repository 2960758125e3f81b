import type { CallOptions, HeaderMap, MeshResponse, RequestBody, RequestContext } from "@heddle/core";
import { type FrontDoor, leaving, wayTo } from "./front-door.ts";
import { type HeadersInput, headerMap, NO_HEADERS } from "./header-map.ts";
import { linkSignal } from "./link-signal.ts";
import { Reply } from "./reply.ts";
import { type BodyInput, releaseBody, requestBody } from "./request-body.ts";
import { type Query, type Target, withQuery } from "./target.ts";

/** The message of a request, as every front door takes it. */
export interface MessageOptions {
  /** Lower or upper case. Default: `POST` with a body, `GET` without. */
  readonly method?: string;
  readonly headers?: HeadersInput;
  readonly body?: BodyInput;
  /** Sent as JSON, with its content-type unless `headers` says one. Not together with `body`. */
  readonly json?: unknown;
  /** Put behind the path; a list repeats its name. */
  readonly query?: Query;
  /** Its reason comes back unchanged when it aborts. */
  readonly signal?: AbortSignal;
}

const NO_MESSAGE: MessageOptions = {};

/** The one way from a front door into the mesh. Rejects, and never throws. */
export function call(
  door: FrontDoor,
  target: Target,
  method: string | undefined,
  message: MessageOptions = NO_MESSAGE,
  options?: CallOptions,
): Promise<Reply> {
  const { mesh } = door;
  const { signal } = message;
  if (signal?.aborted) return Promise.reject(signal.reason);
  let response: Promise<MeshResponse>;
  let context: RequestContext;
  try {
    const handler = wayTo(door, target.authority);
    const { headers, body } = content(message);
    const request = mesh.startRequest({
      method: method === undefined ? (body === null ? "GET" : "POST") : methodOf(method),
      scheme: target.scheme,
      authority: authorityOf(headers) ?? target.authority,
      path: message.query ? withQuery(target.path, message.query) : target.path,
      headers,
      body,
      options,
    });
    context = request.context;
    response = leaving(door, handler(request));
    if (signal) response = linkSignal(signal, context.cancel, response);
  } catch (error) {
    return Promise.reject(error);
  }
  const reply = response.then((head) => new Reply(head, context, mesh.deadlines));
  if (isStream(message.body)) reply.catch((error) => releaseBody(message.body, error));
  return reply;
}

function methodOf(given: string): string {
  const method = given.toUpperCase();
  if (method === "CONNECT") throw new TypeError("CONNECT: a reply cannot hand over its connection; use dispatcher.connect");
  return method;
}

function content(message: MessageOptions): { readonly headers: HeaderMap; readonly body: RequestBody } {
  if (message.json !== undefined) {
    if (message.body !== undefined) throw new TypeError("give `json` or `body`, not both");
    const headers = headerMap(message.headers);
    headers["content-type"] ??= "application/json";
    return { headers, body: JSON.stringify(message.json) };
  }
  if (message.body === undefined || message.body === null)
    return { headers: message.headers ? headerMap(message.headers) : NO_HEADERS, body: null };
  const headers = headerMap(message.headers);
  return { headers, body: requestBody(message.body, headers) };
}

/** A `host` header names the authority that is sent; the URL alone names the service. */
export function authorityOf(headers: HeaderMap): string | undefined {
  const { host } = headers;
  if (host === undefined) return undefined;
  delete headers.host;
  return (typeof host === "string" ? host : (host[0] ?? "")).toLowerCase();
}

function isStream(body: unknown): boolean {
  return typeof body === "object" && body !== null && "destroy" in body;
}
