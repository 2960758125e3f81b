import type { Attributes } from "@opentelemetry/api";
import { MeshError } from "../errors.ts";
import { headerValue, type MeshRequest } from "../message.ts";
import { callAttributes, callName } from "./call-attributes.ts";

/** Methods that may be a span's name (HTTP semantic conventions; every other one is `_OTHER`). */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "QUERY",
  "TRACE",
]);

/** Query parameters whose value is a credential (HTTP semantic conventions, `url.query`). */
const SECRET_PARAMETER = /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature)=)[^&#]*/g;

/** Few values, whatever a caller sends. */
export function spanName(request: MeshRequest): string {
  if (request.context.rpc !== null) return callName(request);
  return KNOWN_METHODS.has(request.method) ? request.method : "HTTP";
}

/** What samplers may look at, of a request going out. */
export function clientAttributes(request: MeshRequest): Attributes {
  const { method, scheme, authority, path, context, attempt } = request;
  const { host, port } = splitAddress(authority);
  if (context.rpc !== null) {
    return { ...callAttributes(request), "server.address": context.service || host, "server.port": port ?? defaultPort(scheme) };
  }
  const isKnown = KNOWN_METHODS.has(method);
  const attributes: Attributes = {
    "http.request.method": isKnown ? method : "_OTHER",
    "server.address": context.service || host,
    "server.port": port ?? defaultPort(scheme),
    "url.full": `${scheme}://${authority}${withoutSecrets(path)}`,
  };
  if (!isKnown) attributes["http.request.method_original"] = method;
  if (attempt && attempt.number > 1) attributes["http.request.resend_count"] = attempt.number - 1;
  return attributes;
}

/** What samplers may look at, of a request coming in. */
export function serverAttributes(request: MeshRequest): Attributes {
  return request.context.rpc === null ? servedRequest(request) : servedCall(request);
}

function servedCall(request: MeshRequest): Attributes {
  const { host, port } = splitAddress(request.authority);
  return {
    ...callAttributes(request),
    "server.address": host,
    "server.port": port ?? defaultPort(request.scheme),
    ...callerAttributes(request),
  };
}

function servedRequest(request: MeshRequest): Attributes {
  const { method, scheme, authority, path, headers } = request;
  const { host, port } = splitAddress(authority);
  const shown = withoutSecrets(path);
  const query = shown.indexOf("?");
  const isKnown = KNOWN_METHODS.has(method);
  const attributes: Attributes = {
    "http.request.method": isKnown ? method : "_OTHER",
    "url.scheme": scheme,
    "url.path": query === -1 ? shown : shown.slice(0, query),
    "server.address": host,
    "server.port": port ?? defaultPort(scheme),
  };
  if (!isKnown) attributes["http.request.method_original"] = method;
  if (query !== -1 && query + 1 < shown.length) attributes["url.query"] = shown.slice(query + 1);
  const userAgent = headerValue(headers, "user-agent");
  if (userAgent !== undefined) attributes["user_agent.original"] = userAgent;
  return Object.assign(attributes, callerAttributes(request));
}

function callerAttributes({ context }: MeshRequest): Attributes {
  const attributes: Attributes = {};
  if (context.peer !== "") attributes["client.address"] = splitAddress(context.peer).host;
  const peer = context.inbound?.peer;
  if (peer) attributes["heddle.peer_id"] = peer.spiffeId;
  return attributes;
}

/**
 * What was decided about a request that came in: the words of the access log. The semantic conventions have none for identities of
 * workloads and for decisions (`tls.client.*` are names and digests of certificates), so these are the mesh's own.
 */
export function decisionAttributes({ context: { authorization } }: MeshRequest, failure: unknown): Attributes {
  const attributes: Attributes = {};
  if (authorization !== null) attributes["heddle.authorization"] = authorization.rule ?? authorization.reason;
  if (failure instanceof MeshError) attributes["heddle.refused"] = failure.code;
  return attributes;
}

/** `host:port`, `[v6]:port` or `unix:/path`, as endpoints are written. */
export function peerAttributes(endpoint: string): Attributes {
  if (endpoint.startsWith("unix:")) return { "network.transport": "unix", "network.peer.address": endpoint.slice("unix:".length) };
  const { host, port } = splitAddress(endpoint);
  return port === undefined ? { "network.peer.address": host } : { "network.peer.address": host, "network.peer.port": port };
}

function withoutSecrets(path: string): string {
  // Plain searches, because nearly no path has one and every span asks.
  if (!path.includes("=")) return path;
  const mayHave = path.includes("ignature=") || path.includes("sig=") || path.includes("AWSAccessKeyId=");
  return mayHave ? path.replace(SECRET_PARAMETER, "$1REDACTED") : path;
}

/** An address of several colons without brackets is IPv6 without a port. */
function splitAddress(address: string): { readonly host: string; readonly port: number | undefined } {
  const bracket = address.startsWith("[") ? address.indexOf("]") : -1;
  if (bracket !== -1) return { host: address.slice(1, bracket), port: portOf(address.slice(bracket + 1)) };
  const colon = address.indexOf(":");
  if (colon === -1 || address.includes(":", colon + 1)) return { host: address, port: undefined };
  return { host: address.slice(0, colon), port: portOf(address.slice(colon)) };
}

function portOf(text: string): number | undefined {
  const port = text.startsWith(":") ? Number(text.slice(1)) : Number.NaN;
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

function defaultPort(scheme: MeshRequest["scheme"]): number {
  return scheme === "https" ? 443 : 80;
}
