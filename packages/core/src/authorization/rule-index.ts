import { TEXTS } from "./attributes.ts";
import { type CompiledRule, testRule } from "./compiled-rule.ts";
import type { RequestFacts } from "./facts.ts";
import { PLACED_TEXTS, type PlacedText, placeOf } from "./rule-placement.ts";
import { type Ternary, UNDECIDED, YES } from "./ternary.ts";

type RuleList = readonly CompiledRule[];

interface TextLists {
  readonly read: (facts: RequestFacts) => string | null | undefined;
  readonly byText: ReadonlyMap<string, CompiledRule[]>;
  readonly all: RuleList;
}

/** Up to so many rules are asked one by one: finding them costs more. */
const FEW = 8;

/**
 * Finds the first rule that matches while asking only those that may: each rule is looked up by one thing that it requires. What is
 * not asked would have said no, also to a request of which that thing is not known.
 */
export class RuleIndex {
  readonly rules: RuleList;
  readonly #least: Ternary;
  readonly #texts: readonly TextLists[];
  readonly #paths: ReadonlyMap<string, CompiledRule[]>;
  readonly #folders: ReadonlyMap<string, CompiledRule[]>;
  /** How many elements the deepest folder has. */
  readonly #depth: number;
  readonly #always: RuleList;
  /** Of the request being looked at; nothing is awaited meanwhile. */
  readonly #lists: RuleList[] = [];

  /** `takesUndecided`: a rule that cannot be decided matches. */
  constructor(rules: RuleList, takesUndecided: boolean) {
    const always: CompiledRule[] = [];
    const paths = new Map<string, CompiledRule[]>();
    const folders = new Map<string, CompiledRule[]>();
    const texts = new Map<PlacedText, { byText: Map<string, CompiledRule[]>; all: CompiledRule[] }>();
    for (const rule of rules) {
      const place = rules.length > FEW ? placeOf(rule.definition) : ({ by: "always" } as const);
      if (place.by === "always") always.push(rule);
      else if (place.by === "path") {
        for (const path of place.exact) listed(paths, path).push(rule);
        for (const folder of place.folders) listed(folders, folder).push(rule);
      } else {
        const lists = texts.get(place.by) ?? { byText: new Map<string, CompiledRule[]>(), all: [] };
        texts.set(place.by, lists);
        lists.all.push(rule);
        for (const key of place.keys) listed(lists.byText, key).push(rule);
      }
    }
    this.rules = rules;
    this.#least = takesUndecided ? UNDECIDED : YES;
    this.#texts = PLACED_TEXTS.flatMap((kind) => {
      const lists = texts.get(kind);
      return lists === undefined ? [] : [{ read: TEXTS[kind], ...lists }];
    });
    this.#paths = paths;
    this.#folders = folders;
    this.#depth = Math.max(0, ...[...folders.keys()].map((folder) => folder.split("/").length - 2));
    this.#always = always;
  }

  /** Asks in the order of the rules. */
  first(facts: RequestFacts): CompiledRule | null {
    const lists = this.#lists;
    lists.length = 0;
    this.#collect(facts, lists);
    const [only] = lists;
    if (only === undefined) return null;
    return lists.length === 1 ? this.#firstOf(only, facts) : this.#firstOfAll(lists, facts);
  }

  #collect(facts: RequestFacts, lists: RuleList[]): void {
    if (this.#always.length > 0) lists.push(this.#always);
    for (const { read, byText, all } of this.#texts) {
      const text = read(facts);
      const list = typeof text === "string" ? byText.get(text) : text === undefined && this.#least === UNDECIDED ? all : undefined;
      if (list !== undefined) lists.push(list);
    }
    const { path } = facts;
    // A refused path is refused before any rule is asked.
    if (path.kind === "refused") return;
    const { pathname } = path;
    const exact = this.#paths.size > 0 ? this.#paths.get(pathname) : undefined;
    if (exact !== undefined) lists.push(exact);
    let slash = 0;
    for (let depth = 0; depth < this.#depth; depth++) {
      slash = pathname.indexOf("/", slash + 1);
      if (slash < 0) return;
      const folder = this.#folders.get(pathname.slice(0, slash + 1));
      if (folder !== undefined) lists.push(folder);
    }
  }

  #firstOf(list: RuleList, facts: RequestFacts): CompiledRule | null {
    const least = this.#least;
    for (const rule of list) if (testRule(rule, facts) >= least) return rule;
    return null;
  }

  /** The first of each list, then the one of least index. */
  #firstOfAll(lists: readonly RuleList[], facts: RequestFacts): CompiledRule | null {
    let first: CompiledRule | null = null;
    const least = this.#least;
    for (const list of lists) {
      for (const rule of list) {
        if (first !== null && rule.index >= first.index) break;
        if (testRule(rule, facts) >= least) {
          first = rule;
          break;
        }
      }
    }
    return first;
  }
}

function listed(lists: Map<string, CompiledRule[]>, key: string): CompiledRule[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
