import type { Path } from "./places.ts";

/** Offsets into the text. */
export interface Place {
  readonly key: number;
  readonly value: number;
}

/** Of so many entries one is looked up by name, and not by going through them. */
const MANY = 16;

/** Where the entries of one mapping or list stand. A document has one for each of them, for as long as it is in force: so it is kept small. */
export class PlaceTree {
  /** None for a list. */
  readonly #names: readonly string[] | null;
  /** Of each entry where its key stands, and where its value does. */
  readonly #offsets: readonly number[];
  readonly #below: readonly (PlaceTree | null)[] | null;
  #indexes: ReadonlyMap<string, number> | undefined;

  constructor(names: readonly string[] | null, offsets: readonly number[], below: readonly (PlaceTree | null)[]) {
    // Lists that grew have room to grow on: a copy has none.
    this.#names = names?.slice() ?? null;
    this.#offsets = offsets.slice();
    this.#below = below.some((tree) => tree !== null) ? below.slice() : null;
  }

  /** Where a path ends; one into nothing, such as to a missing key, where its last existing part stands: null if it has none. */
  find(path: Path): Place | null {
    let tree: PlaceTree | null = this;
    let place: Place | null = null;
    for (const step of path) {
      const index: number = tree === null ? -1 : tree.#indexOf(step);
      if (tree === null || index < 0) break;
      place = tree.placeAt(index);
      tree = tree.#below?.[index] ?? null;
    }
    return place;
  }

  get size(): number {
    return this.#offsets.length / 2;
  }

  placeAt(index: number): Place {
    return { key: this.#offsets[2 * index] ?? 0, value: this.#offsets[2 * index + 1] ?? 0 };
  }

  below(index: number): PlaceTree | null {
    return this.#below?.[index] ?? null;
  }

  nameAt(index: number): string | undefined {
    return this.#names?.[index];
  }

  #indexOf(step: string | number): number {
    if (this.#names === null) return typeof step === "number" && step < this.size ? step : -1;
    if (typeof step === "number") return -1;
    // Of one name written twice the last holds.
    if (this.#names.length <= MANY) return this.#names.lastIndexOf(step);
    this.#indexes ??= new Map(this.#names.map((name, index) => [name, index]));
    return this.#indexes.get(step) ?? -1;
  }
}
