import type * as Yaml from "yaml";

/** Offsets into the text. */
export interface Place {
  readonly key: number;
  readonly value: number;
}

export interface Positions {
  readonly root: Place;
  /** For every mapping and list of the data: where each of its entries stands. */
  readonly entries: WeakMap<object, ReadonlyMap<string | number, Place>>;
}

export interface PlainData {
  readonly value: unknown;
  readonly positions: Positions;
  readonly mistakes: readonly { readonly offset: number; readonly message: string }[];
}

/** What aliases may repeat, in nodes, over a whole document: enough for any honest use, far from what fills a memory. */
const MOST_REPEATED_NODES = 100_000;

/** Deeper than any document; what reads it further would run out of stack. */
const MAX_DEPTH = 100;

/** Turns a syntax tree into data, remembering where everything was written. Aliases are expanded within a bound. */
export function plainData(yaml: typeof Yaml, root: Yaml.ParsedNode): PlainData {
  const reader = new Reader(yaml);
  const value = reader.read(root);
  const offset = root.range[0];
  return { value, positions: { root: { key: offset, value: offset }, entries: reader.entries }, mistakes: reader.mistakes };
}

class Reader {
  readonly entries = new WeakMap<object, ReadonlyMap<string | number, Place>>();
  readonly mistakes: { offset: number; message: string }[] = [];
  readonly #yaml: typeof Yaml;
  /** The latest node of each anchor so far: an alias means the last one before it. */
  readonly #anchors = new Map<string, Yaml.Node>();
  readonly #targets = new WeakMap<Yaml.Alias, Yaml.Node>();
  readonly #expanding = new Set<Yaml.Node>();
  #repeated = 0;
  #isExhausted = false;
  #depth = 0;

  constructor(yaml: typeof Yaml) {
    this.#yaml = yaml;
  }

  read(node: unknown): unknown {
    const { isAlias, isMap, isSeq, isScalar } = this.#yaml;
    if (isAlias(node)) return this.#readAlias(node);
    if (this.#expanding.size > 0) this.#repeated++;
    if (this.#repeated > MOST_REPEATED_NODES) return null;
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined && this.#expanding.size === 0)
      this.#anchors.set(node.anchor, node);
    if (isMap(node) || isSeq(node)) return this.#readContainer(node);
    return isScalar(node) ? node.value : null;
  }

  #readContainer(node: Yaml.YAMLMap | Yaml.YAMLSeq): object | null {
    if (this.#depth === MAX_DEPTH) {
      this.#mistake(offsetOf(node) ?? 0, `found a value nested deeper than ${MAX_DEPTH} levels`);
      return null;
    }
    this.#depth++;
    const data = this.#yaml.isMap(node) ? this.#readMap(node) : this.#readList(node);
    this.#depth--;
    return data;
  }

  #readMap(node: Yaml.YAMLMap): object {
    const data: Record<string, unknown> = Object.create(null);
    const places = new Map<string | number, Place>();
    for (const pair of node.items) {
      const offset = offsetOf(pair.key) ?? offsetOf(node) ?? 0;
      const key = this.read(pair.key);
      if (typeof key === "object" && key !== null) {
        this.#mistake(offset, "found a key that is a list or a mapping, expected a string");
        continue;
      }
      const name = String(key ?? "");
      const first = places.get(name);
      if (first) this.#mistake(offset, `found the key ${JSON.stringify(name)} twice in one mapping`);
      places.set(name, { key: offset, value: offsetOf(pair.value) ?? offset });
      data[name] = this.read(pair.value);
    }
    this.entries.set(data, places);
    return data;
  }

  #readList(node: Yaml.YAMLSeq): object {
    const places = new Map<string | number, Place>();
    const data = node.items.map((item, index) => {
      const offset = offsetOf(item) ?? offsetOf(node) ?? 0;
      places.set(index, { key: offset, value: offset });
      return this.read(item);
    });
    this.entries.set(data, places);
    return data;
  }

  #readAlias(alias: Yaml.Alias): unknown {
    const target = this.#targets.get(alias) ?? this.#anchors.get(alias.source);
    const offset = offsetOf(alias) ?? 0;
    if (target === undefined) {
      this.#mistake(offset, `found the alias *${alias.source}, but no anchor of this name before it`);
      return undefined;
    }
    this.#targets.set(alias, target);
    if (this.#expanding.has(target) || this.#isOpen(target, alias)) {
      this.#mistake(offset, `found the alias *${alias.source} inside of what it stands for`);
      return undefined;
    }
    this.#expanding.add(target);
    const value = this.read(target);
    this.#expanding.delete(target);
    if (this.#repeated > MOST_REPEATED_NODES && !this.#isExhausted) {
      this.#isExhausted = true;
      this.#mistake(offset, `found aliases that repeat more than ${MOST_REPEATED_NODES} values`);
    }
    return value;
  }

  /** An alias within the range of its target is still being read as a part of it. */
  #isOpen(target: Yaml.Node, alias: Yaml.Alias): boolean {
    const [from, , to] = target.range ?? [0, 0, 0];
    const at = offsetOf(alias) ?? 0;
    return at >= from && at < to;
  }

  #mistake(offset: number, message: string): void {
    if (this.mistakes.length < 100) this.mistakes.push({ offset, message });
  }
}

function offsetOf(node: unknown): number | undefined {
  return (node as { range?: Yaml.Range | null } | null)?.range?.[0];
}
