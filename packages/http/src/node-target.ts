import type { IncomingMessage } from "node:http";

/** Where a request came in for. */
export interface RequestTarget {
  /** Lower case, as the caller sent it; empty where it sent none. */
  readonly authority: string;
  /** Path and query; `*` for OPTIONS of the server, empty for CONNECT. */
  readonly path: string;
}

export interface RoutedMessage extends IncomingMessage {
  /** Set by Express, which strips the mount path from `url`. */
  originalUrl?: string;
  readonly baseUrl?: string;
  readonly route?: { readonly path?: unknown };
}

/** What stands after the authority is the path whole, also where it begins with no slash. */
export const ABSOLUTE_FORM: RegExp = /^https?:\/\/([^/?#]*)(.*)/is;

/** Reads the target in each of its forms (RFC 9112 3.2). The authority of an absolute target takes the place of the Host field. */
export function requestTarget(message: IncomingMessage): RequestTarget {
  const url = (message as RoutedMessage).originalUrl ?? message.url ?? "/";
  const host = message.headers.host ?? "";
  if (url.startsWith("/")) return { authority: host.toLowerCase(), path: url };
  if (message.method === "CONNECT") return { authority: url.toLowerCase(), path: "" };
  const absolute = ABSOLUTE_FORM.exec(url);
  if (!absolute) return { authority: host.toLowerCase(), path: url };
  const rest = absolute[2] ?? "";
  return { authority: (absolute[1] ?? "").toLowerCase(), path: rest.startsWith("/") ? rest : `/${rest}` };
}

// Shared by all copies of this package.
const ROUTE: unique symbol = Symbol.for("heddle.route");

interface MarkedMessage {
  [ROUTE]?: string;
}

/** Notes the pattern of the route taken, for frameworks that do not note it on the message themselves. */
export function markRoute(message: IncomingMessage, pattern: string): void {
  (message as MarkedMessage)[ROUTE] = pattern;
}

const MOST_MOUNTS = 100;

/**
 * Reads the patterns of the routes that were marked, or that Express takes, mount path included: `/api/:id`. Express tells the mount path as it was
 * requested, not its pattern; where it has parameters itself there is no end of paths, and later ones become `*`.
 */
export class RoutePatterns {
  readonly #mounts = new Set<string>();

  /** Undefined before routing and in frameworks that do not tell. */
  of(message: IncomingMessage): string | undefined {
    const marked = (message as MarkedMessage)[ROUTE];
    if (marked !== undefined) return marked;
    const { route, baseUrl = "" } = message as RoutedMessage;
    if (typeof route?.path !== "string") return undefined;
    if (this.#mounts.size < MOST_MOUNTS) this.#mounts.add(baseUrl);
    return `${this.#mounts.has(baseUrl) ? baseUrl : "*"}${route.path}`;
  }
}

export function requestScheme(message: IncomingMessage): "http" | "https" {
  return "encrypted" in message.socket && message.socket.encrypted ? "https" : "http";
}
