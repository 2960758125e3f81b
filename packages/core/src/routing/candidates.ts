import { type Collector, END, type RouteList } from "./path-tree.ts";

/** Beyond so many lists, finding the least of their heads costs more than looking at every route. */
const MAX_LISTS = 16;

/**
 * The routes of a few lists, in ascending order. One is used for all requests of a virtual host, one after the other, so that a
 * request allocates nothing.
 */
export class Candidates implements Collector {
  readonly #all: RouteList;
  readonly #lists: RouteList[] = [];
  readonly #positions: number[] = [];
  #count = 0;

  /** `routes`: how many there are. */
  constructor(routes: number) {
    this.#all = [...Array(routes).keys(), END];
  }

  /** Forgets the lists of the last request. */
  clear(): void {
    this.#count = 0;
  }

  /** No route may be in two lists. */
  add(list: RouteList): void {
    this.#lists[this.#count] = list;
    this.#positions[this.#count] = 0;
    this.#count++;
  }

  /** To be called once the last list is there. */
  begin(): void {
    if (this.#count <= MAX_LISTS) return;
    this.clear();
    this.add(this.#all);
  }

  /** The next route; `END` after the last. */
  next(): number {
    let least = END;
    let from = 0;
    for (let index = 0; index < this.#count; index++) {
      const route = this.#lists[index]?.[this.#positions[index] ?? 0] ?? END;
      if (route >= least) continue;
      least = route;
      from = index;
    }
    if (least !== END) this.#positions[from] = (this.#positions[from] ?? 0) + 1;
    return least;
  }
}
