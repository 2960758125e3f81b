import type * as Yaml from "yaml";
import { type Place, PlaceTree } from "./place-tree.ts";

export interface PlainData {
  readonly value: unknown;
  readonly place: Place;
  /** Where everything in it stands; null for a scalar. */
  readonly tree: PlaceTree | null;
  readonly mistakes: readonly { readonly offset: number; readonly message: string }[];
  /** It has an anchor or an alias. */
  readonly hasAnchors: boolean;
}

/** What aliases may repeat, in nodes, over a whole document: enough for any honest use, far from what fills a memory. */
const MOST_REPEATED_NODES = 100_000;

/** Deeper than any document; what reads it further would run out of stack. */
const MAX_DEPTH = 100;

/** Turns a syntax tree into data, remembering where everything was written. Aliases are expanded within a bound. */
export function plainData(yaml: typeof Yaml, root: Yaml.ParsedNode): PlainData {
  const reader = new Reader(yaml);
  const { value, tree } = reader.read(root);
  const offset = root.range[0];
  return { value, place: { key: offset, value: offset }, tree, mistakes: reader.mistakes, hasAnchors: reader.hasAnchors };
}

interface Read {
  readonly value: unknown;
  readonly tree: PlaceTree | null;
}

const NOTHING: Read = { value: null, tree: null };
const UNKNOWN: Read = { value: undefined, tree: null };

class Reader {
  hasAnchors = false;
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

  read(node: unknown): Read {
    const { isAlias, isMap, isSeq, isScalar } = this.#yaml;
    if (isAlias(node)) return this.#readAlias(node);
    if (this.#expanding.size > 0) this.#repeated++;
    if (this.#repeated > MOST_REPEATED_NODES) return NOTHING;
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined && this.#expanding.size === 0) {
      this.hasAnchors = true;
      this.#anchors.set(node.anchor, node);
    }
    if (isMap(node) || isSeq(node)) return this.#readContainer(node);
    return isScalar(node) ? { value: node.value, tree: null } : NOTHING;
  }

  #readContainer(node: Yaml.YAMLMap | Yaml.YAMLSeq): Read {
    if (this.#depth === MAX_DEPTH) {
      this.#mistake(offsetOf(node) ?? 0, `found a value nested deeper than ${MAX_DEPTH} levels`);
      return NOTHING;
    }
    this.#depth++;
    const read = this.#yaml.isMap(node) ? this.#readMap(node) : this.#readList(node);
    this.#depth--;
    return read;
  }

  #readMap(node: Yaml.YAMLMap): Read {
    const data: Record<string, unknown> = Object.create(null);
    const names: string[] = [];
    const offsets: number[] = [];
    const below: (PlaceTree | null)[] = [];
    for (const pair of node.items) {
      const offset = offsetOf(pair.key) ?? offsetOf(node) ?? 0;
      const key = this.read(pair.key).value;
      if (typeof key === "object" && key !== null) {
        this.#mistake(offset, "found a key that is a list or a mapping, expected a string");
        continue;
      }
      const name = String(key ?? "");
      if (Object.hasOwn(data, name)) this.#mistake(offset, `found the key ${JSON.stringify(name)} twice in one mapping`);
      const { value, tree } = this.read(pair.value);
      names.push(name);
      offsets.push(offset, offsetOf(pair.value) ?? offset);
      below.push(tree);
      data[name] = value;
    }
    return { value: data, tree: new PlaceTree(names, offsets, below) };
  }

  #readList(node: Yaml.YAMLSeq): Read {
    const offsets: number[] = [];
    const below: (PlaceTree | null)[] = [];
    const data = node.items.map((item) => {
      const offset = offsetOf(item) ?? offsetOf(node) ?? 0;
      const { value, tree } = this.read(item);
      offsets.push(offset, offset);
      below.push(tree);
      return value;
    });
    return { value: data, tree: new PlaceTree(null, offsets, below) };
  }

  #readAlias(alias: Yaml.Alias): Read {
    this.hasAnchors = true;
    const target = this.#targets.get(alias) ?? this.#anchors.get(alias.source);
    const offset = offsetOf(alias) ?? 0;
    if (target === undefined) {
      this.#mistake(offset, `found the alias *${alias.source}, but no anchor of this name before it`);
      return UNKNOWN;
    }
    this.#targets.set(alias, target);
    if (this.#expanding.has(target) || this.#isOpen(target, alias)) {
      this.#mistake(offset, `found the alias *${alias.source} inside of what it stands for`);
      return UNKNOWN;
    }
    this.#expanding.add(target);
    const read = this.read(target);
    this.#expanding.delete(target);
    if (this.#repeated > MOST_REPEATED_NODES && !this.#isExhausted) {
      this.#isExhausted = true;
      this.#mistake(offset, `found aliases that repeat more than ${MOST_REPEATED_NODES} values`);
    }
    return read;
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
