import { isIP, isIPv4 } from "node:net";
import { quoted, type Reading, read, refused } from "@heddle/core";

/** Where the agent listens. */
export interface WorkloadAddress {
  /** As it was written, for people. */
  readonly text: string;
  /** For grpc-js. */
  readonly target: string;
  /** Whether others than this host may hear what is said there, which holds private keys and is not encrypted. */
  readonly isRemote: boolean;
}

const EXPECTED = 'expected "unix:///path/to/agent.sock" or "tcp://127.0.0.1:8081"';
const UNIX = "unix:";
const TCP = "tcp:";
/** What Linux has room for, without the zero at the end. */
const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Reads an address as the SPIFFE Workload Endpoint's section 4 writes it: `unix` with an absolute path and without an authority, or `tcp` with
 * an IP address and a port; nothing else may stand in it.
 */
export function parseWorkloadAddress(text: string): Reading<WorkloadAddress> {
  // A scheme has no case (RFC 3986 section 3.1).
  const scheme = /^[a-z]+:/i.exec(text)?.[0].toLowerCase();
  const rest = text.slice(scheme?.length);
  const address = scheme === UNIX ? unixAddress(rest) : scheme === TCP ? tcpAddress(rest) : refused("has neither the scheme unix nor tcp");
  return address.ok ? read({ ...address.value, text }) : refused(`the address ${quoted(text)} ${address.reason}; ${EXPECTED}`);
}

type Where = Omit<WorkloadAddress, "text">;

function unixAddress(rest: string): Reading<Where> {
  if (/[?#]/.test(rest)) return refused("has a query or a fragment");
  const authority = /^\/\/([^/]*)/.exec(rest)?.[1];
  if (authority) return refused(`has the authority ${quoted(authority)}, which unix may not have: a path begins with a slash`);
  const written = authority === undefined ? rest : rest.slice(2);
  if (!written.startsWith("/")) return refused(written === "" ? "has no path" : "has a relative path");
  const path = decoded(written);
  if (path === null) return refused("has a path that cannot be decoded, or with characters that no path should have");
  if (path.endsWith("/")) return refused("has the path of a folder");
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    return refused(`has a path of ${Buffer.byteLength(path)} bytes, of which a socket may have ${MAX_SOCKET_PATH_BYTES}`);
  // grpc-js would take what follows two slashes at the beginning for an authority.
  return read({ target: `unix:${path.replace(/^\/+/, "/")}`, isRemote: false });
}

function decoded(path: string): string | null {
  try {
    const text = decodeURIComponent(path);
    return /[\p{Cc}\u2028\u2029]/u.test(text) ? null : text;
  } catch {
    // A percent sign without two digits, or bytes that are not UTF-8.
    return null;
  }
}

function tcpAddress(rest: string): Reading<Where> {
  const parts = /^\/\/(?:\[([^\]]*)\]|([^:/?#@]*)):(\d{1,5})$/.exec(rest);
  if (parts === null) return refused("is not an IP address and a port alone");
  const [, six, four, digits] = parts;
  const host = six ?? four ?? "";
  const port = Number(digits);
  if (six === undefined ? !isIPv4(host) : isIP(host) !== 6 || host.includes("%"))
    return refused(`has the host ${quoted(host)}, which is no IP address`);
  if (port < 1 || port > 65_535) return refused(`has the port ${digits}, which is not between 1 and 65535`);
  const target = six === undefined ? `ipv4:${host}:${port}` : `ipv6:[${host}]:${port}`;
  return read({ target, isRemote: !isLocal(host) });
}

/** Loopback and link-local, which the specification names as networks where TCP may be used (section 3). */
function isLocal(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.") || host.startsWith("169.254.");
  const lower = host.toLowerCase();
  return /^[0:]*:0*1$/.test(lower) || /^fe[89ab][0-9a-f]:/.test(lower);
}
