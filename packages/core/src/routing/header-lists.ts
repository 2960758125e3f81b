import type { HeaderMap } from "../message.ts";
import { joinedHeader } from "./match.ts";
import { type Collector, END, type RouteList } from "./path-tree.ts";
import type { HeaderRequirement } from "./requirements.ts";

interface NameLists {
  readonly name: string;
  /** Of routes that take any value, as far as the lists know. */
  any: RouteList | null;
  readonly byValue: Map<string, RouteList>;
}

/** Routes by a header that they require. */
export class HeaderLists {
  readonly #names: NameLists[];

  /** In the order of the routes. */
  constructor(required: readonly { readonly header: HeaderRequirement; readonly route: number }[]) {
    const byName = Map.groupBy(required, ({ header }) => header.name);
    this.#names = Array.from(byName, ([name, ofName]) => {
      const byValue = Map.groupBy(ofName, ({ header }) => header.value);
      const lists: NameLists = { name, any: null, byValue: new Map() };
      for (const [value, ofValue] of byValue) {
        const list = [...ofValue.map(({ route }) => route), END];
        if (value === null) lists.any = list;
        else lists.byValue.set(value, list);
      }
      return lists;
    });
  }

  collect(headers: HeaderMap, into: Collector): void {
    for (const { name, any, byValue } of this.#names) {
      const value = joinedHeader(headers, name);
      if (value === undefined) continue;
      if (any !== null) into.add(any);
      const list = byValue.get(value);
      if (list !== undefined) into.add(list);
    }
  }
}
