import { isIPv4, isIPv6 } from "node:net";
import { jwksUrlProblem } from "../../authorization/terms/jwks-url.ts";
import { parseWhenKey, WHEN_KEYS } from "../../authorization/terms/when-key.ts";
import { compileIdentityTemplate } from "../../identity/names/identity-template.ts";
import type { Reading } from "../../identity/names/reading.ts";
import { parseTrustDomain, segmentProblem } from "../../identity/names/spiffe-id.ts";
import { compileSpiffeIdMatcher } from "../../identity/names/spiffe-id-matcher.ts";
import { regexMistake } from "./regex.ts";

export type FormatName =
  | "text"
  | "filled text"
  | "trust domain"
  | "identity template"
  | "path segment"
  | "spiffe id pattern"
  | "certificate name"
  | "file path"
  | "jwks url"
  | "jwt issuer"
  | "header prefix"
  | "condition key"
  | "name"
  | "route name"
  | "label"
  | "address"
  | "dns name"
  | "socket path"
  | "host claim"
  | "authority"
  | "host"
  | "header to match"
  | "header to change"
  | "header value"
  | "query parameter"
  | "method"
  | "grpc service"
  | "grpc method"
  | "path"
  | "path text"
  | "regex"
  | "substitution";

export interface Format {
  /** Completes "expected ...". */
  readonly expected: string;
  /** What JSON Schema can check too. */
  readonly pattern: RegExp;
  /** What a pattern cannot say: why this value is refused. */
  readonly refuse?: (value: string) => string | undefined;
}

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Connection-specific (RFC 9110 7.6.1) or framing: written by the transport, never by a configuration. */
const TRANSPORT_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "content-length",
]);

export interface HostAndPort {
  /** Lower case; IPv6 in brackets. */
  readonly host: string;
  readonly port: number | null;
}

/** Takes `host`, `host:port`, `[v6]` and `[v6]:port` apart; undefined if the value is none of them. */
export function splitAuthority(value: string): HostAndPort | undefined {
  const parts = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(value);
  const host = parts?.[1]?.toLowerCase();
  if (!host || !isHost(host)) return undefined;
  if (parts?.[2] === undefined) return { host, port: null };
  const port = Number(parts[2]);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

function isHost(host: string): boolean {
  if (host.startsWith("[")) return isIPv6(host.slice(1, -1));
  if (host.length > 253) return false;
  const labels = host.split(".");
  // As URLs have it: a host whose last label is a number is an IPv4 address.
  if (/^\d+$/.test(labels.at(-1) ?? "")) return isIPv4(host);
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

function refuseAddress(value: string): string | undefined {
  if (value.startsWith("unix:")) return "a unix socket is an endpoint { unix: /path }";
  if (value.startsWith("dns:")) return "a name to look up is an endpoint { dns: name }";
  if (value.includes("://")) return "an address has no scheme";
  const split = splitAuthority(value);
  if (split) return split.port === null ? "the port is missing" : undefined;
  return isIPv6(value) ? "an IPv6 address stands in brackets" : "";
}

/** SRV names bring their port (RFC 2782); other names need one. */
function refuseDnsName(value: string): string | undefined {
  const split = splitAuthority(value);
  if (!split) return "";
  if (/^_[^.]+\._[^.]+\.[^.]/.test(split.host)) return split.port === null ? undefined : "the port of an SRV name is in its records";
  if (split.host.startsWith("_")) return "an SRV name is _service._proto.name";
  if (split.host.startsWith("[") || isIPv4(split.host)) return "this is an address already, and stands under `address`";
  return split.port === null ? "the port is missing" : undefined;
}

/** What fits into sun_path of Linux, with its terminator. */
const MAX_SOCKET_PATH_BYTES = 107;

function refuseSocketPath(value: string): string | undefined {
  const bytes = Buffer.byteLength(value);
  return bytes > MAX_SOCKET_PATH_BYTES ? `it has ${bytes} bytes` : undefined;
}

function refuseHostClaim(value: string): string | undefined {
  if (value === "*") return undefined;
  if (value.startsWith("*.")) return splitAuthority(value.slice(2))?.port === null ? undefined : "";
  return splitAuthority(value) ? undefined : "";
}

function refuseHeaderToChange(value: string): string | undefined {
  const name = value.toLowerCase();
  if (name === "host") return "the host is changed by rewrite.authority";
  return TRANSPORT_HEADERS.has(name) ? "this header belongs to the connection, not to the message" : undefined;
}

function reasonOf(reading: Reading<unknown>): string | undefined {
  return reading.ok ? undefined : reading.reason;
}

/** The kinds of string a document holds, each with the rule it must keep. */
export const FORMATS: Readonly<Record<FormatName, Format>> = {
  text: { expected: "a string", pattern: /^/ },
  "filled text": { expected: "a string that is not empty", pattern: /^\P{Cc}{1,4096}$/u },
  "trust domain": {
    expected: "the name of a trust domain, without scheme and path",
    pattern: /^[a-z0-9._-]{1,255}$/,
    refuse: (value) => reasonOf(parseTrustDomain(value)),
  },
  "identity template": {
    expected: "a template of SPIFFE IDs, such as spiffe://{trustDomain}/ns/{namespace}/sa/{service}",
    pattern: /^spiffe:\/\//,
    refuse: (value) => reasonOf(compileIdentityTemplate(value)),
  },
  "path segment": {
    expected: "one segment of a SPIFFE ID's path",
    pattern: /^[A-Za-z0-9._-]{1,255}$/,
    refuse: (value) => segmentProblem(value) ?? undefined,
  },
  "spiffe id pattern": {
    expected: "a SPIFFE ID, or spiffe://trust-domain/path/* for all below a path",
    pattern: /^spiffe:\/\//,
    refuse: (value) => reasonOf(compileSpiffeIdMatcher(value)),
  },
  "certificate name": { expected: "a host name, an address or a URI", pattern: /^[^\s*]{1,2048}$/ },
  "file path": { expected: "the path of a file", pattern: /^\P{Cc}{1,4096}$/u },
  "jwks url": {
    expected: "a URL that begins with https://",
    pattern: /^https?:\/\/\S+$/,
    refuse: (value) => jwksUrlProblem(value) ?? undefined,
  },
  "jwt issuer": { expected: "the issuer of tokens, as their `iss` has it", pattern: /^\P{Cc}{1,2048}$/u },
  "header prefix": { expected: "what stands before a token in a header: printable, without a quote", pattern: /^[!#-~][ !#-~]{0,63}$/ },
  "condition key": {
    expected: `one of ${WHEN_KEYS.join(", ")}`,
    pattern: /^[\x20-\x7e]+$/,
    refuse: (value) => (parseWhenKey(value).ok ? undefined : ""),
  },
  name: {
    expected: 'a name of at most 200 letters, digits, ".", "_" and "-" that begins and ends with a letter or digit',
    pattern: /^[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?$/,
    refuse: (value) => (splitAuthority(value) ? undefined : "it is no host name"),
  },
  "route name": { expected: "a name of 1 to 128 printable characters", pattern: /^[\x20-\x7e]{1,128}$/ },
  label: { expected: "a string of at most 256 printable characters", pattern: /^\P{Cc}{0,256}$/u },
  address: { expected: "host:port, or [v6]:port, with a port of 1 to 65535", pattern: /^[^\s@]+$/, refuse: refuseAddress },
  "dns name": { expected: "name:port, or _service._proto.name for SRV", pattern: /^[^\s@/]+$/, refuse: refuseDnsName },
  "socket path": {
    expected: `an absolute path of at most ${MAX_SOCKET_PATH_BYTES} bytes`,
    pattern: /^\/\P{Cc}+$/u,
    refuse: refuseSocketPath,
  },
  "host claim": { expected: "host, host:port, *.suffix or *", pattern: /^[^\s/@]+$/, refuse: refuseHostClaim },
  authority: {
    expected: "host or host:port",
    pattern: /^[^\s/@]+$/,
    refuse: (value) => (splitAuthority(value) ? undefined : ""),
  },
  host: {
    expected: "a host, without a port",
    pattern: /^[^\s/@]+$/,
    refuse: (value) => (splitAuthority(value)?.port === null ? undefined : ""),
  },
  "header to match": {
    expected: "a header name (RFC 9110 token)",
    pattern: TOKEN,
    refuse: (value) => (value.toLowerCase() === "host" ? "the host is matched by match.authority" : undefined),
  },
  "header to change": { expected: "a header name (RFC 9110 token)", pattern: TOKEN, refuse: refuseHeaderToChange },
  "header value": {
    expected: "a header value: printable Latin-1 without line breaks, no space at either end",
    pattern: /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/,
  },
  "query parameter": { expected: "a query parameter's name", pattern: /^\P{Cc}{1,256}$/u },
  "grpc service": {
    expected: "a service with its package, such as shop.v1.Ratings",
    pattern: /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/,
  },
  "grpc method": { expected: "the name of a method, such as GetRating", pattern: /^[A-Za-z_][A-Za-z0-9_]*$/ },
  method: { expected: "a method in upper case", pattern: /^[!#$%&'*+.^_`|~0-9A-Z-]+$/ },
  path: { expected: 'a path that begins with "/", without query, fragment or space', pattern: /^\/[^\s?#]*$/ },
  "path text": { expected: "part of a path: one or more characters, no query, fragment or space", pattern: /^[^\s?#]+$/ },
  substitution: {
    expected: "a replacement: no query, fragment or space; \\0 is the whole match, \\1 to \\9 are groups, \\\\ is a backslash",
    pattern: /^(?:[^\s?#\\]|\\[0-9\\])*$/,
  },
  regex: { expected: "a regular expression in RE2 syntax", pattern: /^[\s\S]{1,4096}$/, refuse: regexMistake },
};
