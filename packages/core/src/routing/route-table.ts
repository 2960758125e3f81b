import type { MeshRequest } from "../message.ts";
import { type Matchable, MatchIndex } from "./match-index.ts";

/** The routes of a virtual host, compiled for finding the first that matches. */
export interface RouteTable<R extends Matchable> {
  /** In list order. */
  readonly routes: readonly R[];
  /** The first in list order that takes the request; null: none does. `pathname` is its path without its query. */
  first(request: MeshRequest, pathname: string): R | null;
  /** The routes that {@link first} asks, in list order, until one takes the request; no other can. Consumes no randomness. */
  asked(request: MeshRequest, pathname: string): readonly R[];
}

/** From so many routes on, looking them up costs less than asking each. Measured. */
const INDEXED_FROM = 8;

export function routeTable<R extends Matchable>(routes: readonly R[]): RouteTable<R> {
  if (routes.length < INDEXED_FROM)
    return { routes, first: (request, pathname) => firstOf(routes, request, pathname), asked: () => routes };
  const index = new MatchIndex(routes);
  return {
    routes,
    first: (request, pathname) => index.first(request, pathname),
    asked: (request, pathname) => index.asked(request, pathname),
  };
}

/** The definition of what is found. */
export function firstOf<R extends Matchable>(routes: readonly R[], request: MeshRequest, pathname: string): R | null {
  for (const route of routes) if (route.match.test(request, pathname)) return route;
  return null;
}
