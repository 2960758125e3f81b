import { meshError } from "../errors.ts";
import type { HeaderMap, MeshRequest, MeshResponse } from "../message.ts";
import { grpcStatusName } from "../rpc.ts";
import { callStatus } from "./call-attributes.ts";
import { type Direction, type Outcome, refusedWith } from "./exchange.ts";

/** Everything a line is made of. */
export interface LoggedExchange {
  readonly direction: Direction;
  readonly request: MeshRequest;
  readonly response: MeshResponse | null;
  readonly failure: unknown;
  readonly outcome: Outcome;
  readonly endedAt: number;
  /** When the head came; NaN without one. */
  readonly headAt: number;
  /** Of the span that was active when the request began; empty without one. */
  readonly activeTraceId: string;
}

export interface LineSettings {
  readonly fields: readonly AccessLogField[];
  readonly includeQuery: boolean;
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
}

type FieldReader = (exchange: LoggedExchange, settings: LineSettings) => unknown;

/** Headers that are written as {@link REDACTED}, also where a log asks for them. */
export const REDACTED_HEADERS: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);
export const REDACTED: string = "[redacted]";
/** A longer path, header value or `why` is cut. */
export const MAX_TEXT_CHARS: number = 1_024;

/** A field of an access log line. docs/access-log.md explains each. */
export type AccessLogField =
  | "direction"
  | "method"
  | "authority"
  | "path"
  | "status"
  | "grpc_status"
  | "outcome"
  | "duration_ms"
  | "head_ms"
  | "service"
  | "route"
  | "backend"
  | "endpoint"
  | "attempts"
  | "why"
  | "trace_id"
  | "peer"
  | "peer_id"
  | "authorization"
  | "audited"
  | "shadow"
  | "tags"
  | "request_headers"
  | "response_headers";

/** In the order in which they are written. What is undefined is left out. */
const READERS: Readonly<Record<AccessLogField, FieldReader>> = {
  direction: ({ direction }) => direction,
  method: ({ request }) => request.method,
  authority: ({ request }) => request.authority,
  path: ({ request }, { includeQuery }) => bounded(includeQuery ? request.path : withoutQuery(request.path)),
  status: (exchange) => exchange.response?.status ?? statusOfRefusal(exchange),
  grpc_status: grpcStatus,
  outcome: ({ outcome }) => String(outcome),
  duration_ms: ({ request, endedAt }) => rounded(endedAt - request.context.startedAt),
  head_ms: ({ request, headAt }) => (Number.isNaN(headAt) ? undefined : rounded(headAt - request.context.startedAt)),
  service: ({ request }) => orAbsent(request.context.service),
  route: ({ request }) => orAbsent(request.context.route),
  backend: ({ request }) => orAbsent(request.context.backend),
  endpoint: ({ request }) => orAbsent(request.context.attempts.at(-1)?.endpoint ?? ""),
  attempts: ({ direction, request }) => (direction === "outbound" ? request.context.attempts.length : undefined),
  why: (exchange, settings) => orAbsent(bounded(reason(exchange, settings))),
  trace_id: (exchange) => orAbsent(traceIdOf(exchange)),
  peer: ({ request }) => orAbsent(request.context.peer),
  peer_id: ({ request }) => request.context.inbound?.peer?.spiffeId,
  authorization: ({ request: { context } }) => context.authorization?.rule ?? context.authorization?.reason,
  audited: ({ request: { context } }) => (context.authorization?.audited.length ? context.authorization.audited : undefined),
  shadow: ({ request: { context } }) => context.authorization?.shadow ?? undefined,
  tags: ({ request }) => tagsOf(request),
  request_headers: ({ request }, { requestHeaders }) => pickHeaders(request.headers, requestHeaders),
  response_headers: ({ response }, { responseHeaders }) => pickHeaders(response?.headers, responseHeaders),
};

export const ACCESS_LOG_FIELDS: readonly AccessLogField[] = Object.keys(READERS) as AccessLogField[];

export function lineOf(exchange: LoggedExchange, settings: LineSettings): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const field of settings.fields) {
    const read: FieldReader = READERS[field];
    const value = read(exchange, settings);
    if (value !== undefined) line[field] = value;
  }
  return line;
}

/** What a request is refused with stands above the log; to a caller that has left nothing is sent. */
function statusOfRefusal({ direction, request, failure }: LoggedExchange): number | undefined {
  const status = request.cancel.isCancelled ? null : refusedWith(direction, failure);
  if (status === null) return undefined;
  // To a call a refusal is a status of gRPC: that of HTTP says only that it was answered.
  return request.context.rpc === null ? status : 200;
}

/** What the caller of a call got to see, where the mesh knows. */
function grpcStatus({ request, response, failure }: LoggedExchange): string | undefined {
  const status = request.context.rpc === null ? null : callStatus(response, meshError(failure) ?? failure);
  return status === null ? undefined : grpcStatusName(status);
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query === -1 ? path : path.slice(0, query);
}

function bounded(text: string): string {
  return text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}

function orAbsent(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** The mesh's own words: what others throw may hold what must not be logged, and so may a query that a message quotes. */
function reason({ request, failure }: LoggedExchange, { includeQuery }: LineSettings): string {
  const why = meshError(failure)?.message ?? request.context.attempts.at(-1)?.why ?? "";
  const query = request.path.slice(withoutQuery(request.path).length);
  return includeQuery || query.length < 2 ? why : why.replaceAll(query, "");
}

function traceIdOf({ request, activeTraceId }: LoggedExchange): string {
  const { traceId, scope } = request.context;
  return traceId || activeTraceId || (scope?.trace?.traceparent.slice(3, 35) ?? "");
}

function tagsOf(request: MeshRequest): Readonly<Record<string, string>> | undefined {
  const { scope, options } = request.context;
  if (!scope?.tags) return options.tags;
  return options.tags ? { ...scope.tags, ...options.tags } : scope.tags;
}

function pickHeaders(headers: HeaderMap | undefined, names: readonly string[]): Record<string, string | string[]> | undefined {
  if (headers === undefined || names.length === 0) return undefined;
  const picked: [string, string | string[]][] = [];
  for (const name of names) {
    const value = headers[name];
    if (value === undefined) continue;
    picked.push([name, REDACTED_HEADERS.has(name) ? REDACTED : typeof value === "object" ? value.map(bounded) : bounded(value)]);
  }
  return picked.length === 0 ? undefined : Object.fromEntries(picked);
}
