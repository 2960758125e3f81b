import type { Place, PlaceTree } from "./place-tree.ts";
import type { Path } from "./places.ts";
import { readYaml } from "./read-yaml.ts";
import { type SplitServices, splitServices } from "./split-services.ts";

/** One service as it is written, wherever in the document that is. */
interface Block {
  readonly name: string;
  readonly text: string;
  /** What it says. */
  service: unknown;
  /** Where that stands: `offset` less is the place from the block's beginning. */
  readonly place: Place;
  readonly tree: PlaceTree | null;
  readonly offset: number;
}

interface PlacedBlock {
  readonly block: Block;
  /** Where it begins in this version. */
  readonly start: number;
}

/** What a text says, and where each part of it stands. */
export interface ReadBlocks {
  readonly value: unknown;
  find(path: Path): Place;
}

interface Around {
  readonly value: object;
  readonly tree: PlaceTree;
  readonly place: Place;
}

/** What is read at once: so many that beginning costs little, and so few that a service which stays keeps little of the text alive. */
const MOST_AT_ONCE = 64;

/**
 * The services of a document as they were read last. A new version is compared with them as text, and only those that changed are read
 * again; the others are the same objects as before, so that whoever looks at the document need not look at them again.
 */
export class ServiceBlocks {
  /** By their text. */
  #known: ReadonlyMap<string, Block> = new Map();
  #value: unknown;

  /**
   * What the whole text says. Undefined if it has to be read as a whole: it has mistakes, or anything by which one part of it may
   * reach into another, such as an anchor.
   */
  read(text: string): ReadBlocks | undefined {
    const split = splitServices(text);
    const around = split && readAround(text, split);
    const placed = around && this.#readAll(text, split);
    if (!placed) return undefined;
    const services: Record<string, unknown> = Object.create(null);
    for (const [name, { block }] of placed) services[name] = block.service;
    // Only what is in this version is remembered.
    this.#known = new Map(Array.from(placed.values(), ({ block }) => [block.text, block]));
    const value: object = Object.assign(Object.create(null), around.value, { services });
    this.#value = value;
    return { value, find: finder(split, around, placed) };
  }

  /** Replaces what the services say by something that says the same; does nothing if the value is not what was read last. */
  replace(value: unknown, services: Readonly<Record<string, unknown>>): void {
    if (value !== this.#value) return;
    for (const block of this.#known.values()) block.service = services[block.name];
    this.#value = undefined;
  }

  #readAll(text: string, split: SplitServices): ReadonlyMap<string, PlacedBlock> | undefined {
    const placed = new Map<string, PlacedBlock>();
    const { blocks } = split;
    for (let index = 0; index < blocks.length; ) {
      const known = this.#known.get(textOf(text, split, index, index + 1));
      let until = index + 1;
      if (!known)
        while (until < Math.min(blocks.length, index + MOST_AT_ONCE) && !this.#known.has(textOf(text, split, until, until + 1))) until++;
      const read = known ? [known] : readTogether(textOf(text, split, index, until), split, blocks.slice(index, until));
      for (const block of read ?? []) placed.set(block.name, { block, start: blocks[index++] as number });
      if (!read || placed.size !== index) return undefined;
    }
    return placed;
  }
}

/** The text of some services that follow each other. */
function textOf(text: string, { blocks, end }: SplitServices, from: number, until: number): string {
  return text.slice(blocks[from], blocks[until] ?? end);
}

/** What stands before and after the services. */
function readAround(text: string, { header, start, end }: SplitServices): Around | undefined {
  const { data, mistakes } = readYaml(text.slice(0, start) + text.slice(end));
  const tree = data?.tree;
  if (!data || !tree || mistakes.length > 0 || data.hasAnchors) return undefined;
  const value = data.value as { readonly services?: unknown };
  // Or the line is not the key of the document that it looks like, or stands in brackets, where indentation means nothing.
  const isHeader = text[data.place.key] !== "{" && value.services === null && tree.find(["services"])?.key === header;
  return isHeader ? { value, tree, place: data.place } : undefined;
}

/** Reads services that follow each other; undefined unless they are one key each and nothing else. */
function readTogether(slice: string, { indent }: SplitServices, starts: readonly number[]): readonly Block[] | undefined {
  // What is cut out of a text keeps all of it in memory. A copy keeps these services'.
  const text = Buffer.from(slice).toString();
  if (text !== slice) return undefined;
  const { data, mistakes } = readYaml(text);
  const tree = data?.tree;
  if (!data || !tree || mistakes.length > 0 || data.hasAnchors || tree.size !== starts.length) return undefined;
  const first = starts[0] as number;
  const blocks: Block[] = [];
  for (const [index, start] of starts.entries()) {
    const name = tree.nameAt(index);
    const place = tree.placeAt(index);
    const offset = start - first;
    if (name === undefined || place.key !== offset + indent) return undefined;
    const next = starts[index + 1];
    blocks.push({
      name,
      text: text.slice(offset, next === undefined ? undefined : next - first),
      service: (data.value as Readonly<Record<string, unknown>>)[name],
      place,
      tree: tree.below(index),
      offset,
    });
  }
  return blocks;
}

function finder({ start, end, indent }: SplitServices, around: Around, placed: ReadonlyMap<string, PlacedBlock>): (path: Path) => Place {
  const moved = (place: Place, from: number, by: number): Place => ({
    key: place.key >= from ? place.key + by : place.key,
    value: place.value >= from ? place.value + by : place.value,
  });
  const outside = (path: Path): Place => moved(around.tree.find(path) ?? around.place, start, end - start);
  return (path) => {
    if (path[0] !== "services") return outside(path);
    const inside = typeof path[1] === "string" ? placed.get(path[1]) : undefined;
    if (!inside) return { key: outside(path).key, value: start + indent };
    const { block } = inside;
    return moved(block.tree?.find(path.slice(2)) ?? block.place, 0, inside.start - block.offset);
  };
}
