import type { MeshRequest } from "../message.ts";
import type { PathMatch } from "../model/match.ts";
import type { RouteAction } from "../model/route.ts";
import { matchedPrefix, regexRewriter, replacePrefix } from "./rewrite.ts";

type Redirect = Extract<RouteAction, { kind: "redirect" }>;

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** The Location of a redirect, compiled. A port that was given for the old scheme is not carried over to a new one. */
export function locationOf(redirect: Redirect, match: PathMatch | null): (request: MeshRequest) => string {
  const changePath = pathChange(redirect, match);
  return (request) => {
    const scheme = redirect.scheme ?? request.scheme;
    const { host, port } = splitAuthority(request.authority);
    const newPort = redirect.port ?? (redirect.scheme !== null && redirect.scheme !== request.scheme ? null : port);
    const authority = (redirect.host ?? host) + (newPort === null || newPort === DEFAULT_PORTS[scheme] ? "" : `:${newPort}`);
    return `${scheme}://${authority}${changePath(redirect.stripQuery ? withoutQuery(request.path) : request.path)}`;
  };
}

export function redirectLocation(redirect: Redirect, match: PathMatch | null, request: MeshRequest): string {
  return locationOf(redirect, match)(request);
}

function pathChange({ path: change }: Redirect, match: PathMatch | null): (path: string) => string {
  if (change === null) return (path) => path;
  if (change.kind === "regex") return regexRewriter({ pattern: change.pattern, substitution: change.value });
  if (change.kind === "prefix") return (path) => replacePrefix(path, matchedPrefix(match), change.value);
  return (path) => change.value + path.slice(withoutQuery(path).length);
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

function splitAuthority(authority: string): { host: string; port: number | null } {
  const port = /:(\d+)$/.exec(authority);
  return port ? { host: authority.slice(0, port.index), port: Number(port[1]) } : { host: authority, port: null };
}
