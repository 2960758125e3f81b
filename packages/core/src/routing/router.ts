import { MeshError } from "../errors.ts";
import type { Handler } from "../layer.ts";
import { type MeshRequest, requestName } from "../message.ts";
import type { CompiledMatch } from "./match.ts";
import type { RouteTable } from "./route-table.ts";

export interface RoutedHandler {
  readonly name: string;
  readonly match: CompiledMatch;
  readonly handler: Handler;
}

/** So many routes are named where none matches. */
const NAMED = 20;

/** The path without its query. */
export function pathnameOf(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** Takes the first route that matches. */
export function router(virtualHost: string, table: RouteTable<RoutedHandler>): Handler {
  return (request) => {
    let route: RoutedHandler | null;
    try {
      route = table.first(request, pathnameOf(request.path));
    } catch (cause) {
      // An expression that no document holds, for those are checked; a source of the application's own may bring one.
      return Promise.reject(unmatchable(virtualHost, request, cause));
    }
    if (route === null) return Promise.reject(noRoute(virtualHost, table.routes, request));
    request.context.route = route.name;
    return route.handler(request);
  };
}

function noRoute(virtualHost: string, routes: readonly RoutedHandler[], request: MeshRequest): MeshError {
  return new MeshError("no_route", `${requestName(request)}: no route of ${virtualHost} matches (routes: ${namesOf(routes)})`);
}

function namesOf(routes: readonly RoutedHandler[]): string {
  const names = routes
    .slice(0, NAMED)
    .map((route) => route.name)
    .join(", ");
  return routes.length > NAMED ? `${names} and ${routes.length - NAMED} more` : names || "none";
}

function unmatchable(virtualHost: string, request: MeshRequest, cause: unknown): MeshError {
  const because = cause instanceof Error ? cause.message : String(cause);
  return new MeshError("invalid_config", `${requestName(request)}: a route of ${virtualHost} cannot be matched: ${because}`, { cause });
}
