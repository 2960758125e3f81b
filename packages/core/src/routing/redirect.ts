import type { MeshRequest } from "../message.ts";
import type { PathMatch } from "../model/match.ts";
import type { RouteAction } from "../model/route.ts";
import { matchedPrefix, replacePrefix } from "./rewrite.ts";

type Redirect = Extract<RouteAction, { kind: "redirect" }>;

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** The Location of a redirect. A port that was given for the old scheme is not carried over to a new one. */
export function redirectLocation(redirect: Redirect, match: PathMatch | null, request: MeshRequest): string {
  const scheme = redirect.scheme ?? request.scheme;
  const { host, port } = splitAuthority(request.authority);
  const newPort = redirect.port ?? (redirect.scheme !== null && redirect.scheme !== request.scheme ? null : port);
  const authority = (redirect.host ?? host) + (newPort === null || newPort === DEFAULT_PORTS[scheme] ? "" : `:${newPort}`);
  return `${scheme}://${authority}${redirectPath(redirect, match, request.path)}`;
}

function redirectPath(redirect: Redirect, match: PathMatch | null, path: string): string {
  const query = path.indexOf("?");
  const search = query < 0 || redirect.stripQuery ? "" : path.slice(query);
  const pathname = query < 0 ? path : path.slice(0, query);
  if (redirect.path === null) return pathname + search;
  if (redirect.path.kind === "replace") return redirect.path.value + search;
  return replacePrefix(pathname, matchedPrefix(match), redirect.path.value) + search;
}

function splitAuthority(authority: string): { host: string; port: number | null } {
  const port = /:(\d+)$/.exec(authority);
  return port ? { host: authority.slice(0, port.index), port: Number(port[1]) } : { host: authority, port: null };
}
