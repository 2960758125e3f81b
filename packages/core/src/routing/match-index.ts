import type { MeshRequest } from "../message.ts";
import { Candidates } from "./candidates.ts";
import { HeaderLists } from "./header-lists.ts";
import type { CompiledMatch } from "./match.ts";
import { END, PathTree, type RouteList } from "./path-tree.ts";
import { type Place, placesOf } from "./placement.ts";
import { foldedPath, type HeaderRequirement } from "./requirements.ts";

export interface Matchable {
  readonly match: CompiledMatch;
}

/**
 * Finds the first route that matches without asking every one: each is looked up by one thing that its match requires, and only
 * those whose thing the request has are asked, in list order. What was not asked would have refused, and drawn no chance.
 */
export class MatchIndex<R extends Matchable> {
  readonly #routes: readonly R[];
  readonly #candidates: Candidates;
  readonly #paths: PathTree | null;
  readonly #foldedPaths: PathTree | null;
  readonly #headers: HeaderLists | null;
  readonly #always: RouteList | null;

  constructor(routes: readonly R[]) {
    const places = placesOf(routes.map(({ match }) => match.definition));
    this.#routes = routes;
    this.#candidates = new Candidates(routes.length);
    this.#paths = pathTree(places, false);
    this.#foldedPaths = pathTree(places, true);
    this.#headers = headerLists(places);
    this.#always = alwaysList(places);
  }

  first(request: MeshRequest, pathname: string): R | null {
    this.#collect(request, pathname);
    for (let index = this.#candidates.next(); index !== END; index = this.#candidates.next()) {
      const route = this.#routes[index];
      if (route?.match.test(request, pathname)) return route;
    }
    return null;
  }

  /** The routes that {@link first} asks until one takes the request. Consumes no randomness. */
  asked(request: MeshRequest, pathname: string): R[] {
    this.#collect(request, pathname);
    const asked: R[] = [];
    for (let index = this.#candidates.next(); index !== END; index = this.#candidates.next()) {
      const route = this.#routes[index];
      if (route) asked.push(route);
    }
    return asked;
  }

  #collect(request: MeshRequest, pathname: string): void {
    const candidates = this.#candidates;
    candidates.clear();
    if (this.#paths !== null) this.#paths.collect(pathname, candidates);
    if (this.#foldedPaths !== null) this.#foldedPaths.collect(foldedPath(pathname), candidates);
    if (this.#headers !== null) this.#headers.collect(request.headers, candidates);
    if (this.#always !== null) candidates.add(this.#always);
    candidates.begin();
  }
}

function pathTree(places: readonly Place[], ignoreCase: boolean): PathTree | null {
  const tree = new PathTree();
  let isEmpty = true;
  places.forEach((place, route) => {
    if (place.by !== "path" || place.ignoreCase !== ignoreCase) return;
    tree.add(place.kind, place.text, route);
    isEmpty = false;
  });
  if (isEmpty) return null;
  tree.seal();
  return tree;
}

function headerLists(places: readonly Place[]): HeaderLists | null {
  const required: { header: HeaderRequirement; route: number }[] = [];
  places.forEach((place, route) => {
    if (place.by === "header") required.push({ header: place, route });
  });
  return required.length === 0 ? null : new HeaderLists(required);
}

function alwaysList(places: readonly Place[]): RouteList | null {
  const routes: number[] = [];
  places.forEach((place, route) => {
    if (place.by === "always") routes.push(route);
  });
  return routes.length === 0 ? null : [...routes, END];
}
