import { MeshError } from "../errors.ts";
import type { Handler } from "../layer.ts";
import type { MeshRequest } from "../message.ts";
import type { CompiledMatch } from "./match.ts";

export interface RoutedHandler {
  readonly name: string;
  readonly match: CompiledMatch;
  readonly handler: Handler;
}

/** The path without its query. */
export function pathnameOf(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** Takes the first route that matches. */
export function router(virtualHost: string, routes: readonly RoutedHandler[]): Handler {
  return (request) => {
    const pathname = pathnameOf(request.path);
    for (const route of routes) {
      if (route.match.test(request, pathname)) {
        request.context.route = route.name;
        return route.handler(request);
      }
    }
    return Promise.reject(noRoute(virtualHost, routes, request));
  };
}

function noRoute(virtualHost: string, routes: readonly RoutedHandler[], request: MeshRequest): MeshError {
  const names = routes.map((route) => route.name).join(", ") || "none";
  return new MeshError(
    "no_route",
    `${request.method} ${request.scheme}://${request.authority}${pathnameOf(request.path)}: no route of ${virtualHost} matches (routes: ${names})`,
  );
}
