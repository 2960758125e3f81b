/** Something that a process has one of. */
export interface Place<T> {
  get(): T;
  /** Returns what brings back what was there. */
  put(value: T): () => void;
}

interface Installation<T> {
  readonly below: T;
  readonly restore: () => void;
  /** How many times installed and not yet taken back. */
  uses: number;
}

/** Values that take turns in one place: each comes off when it is on top and no longer in use, in whatever order they are given up. */
export class GlobalPlace<T extends object> {
  readonly #place: Place<T>;
  readonly #installed = new WeakMap<T, Installation<T>>();

  constructor(place: Place<T>) {
    this.#place = place;
  }

  /** Returns what takes the value back; calling it twice is a mistake. */
  install(value: T): () => void {
    const installation = this.#below(value) ?? this.#add(value);
    installation.uses++;
    // Somebody may have put another value on top since.
    if (this.#place.get() !== value) this.#place.put(value);
    return () => {
      installation.uses--;
      this.#restore();
    };
  }

  /** The one this value still has at or below the top. */
  #below(value: T): Installation<T> | undefined {
    for (let at = this.#place.get(), found = this.#installed.get(at); found; at = found.below, found = this.#installed.get(at))
      if (at === value) return found;
    return undefined;
  }

  #add(value: T): Installation<T> {
    const below = this.#place.get();
    const added: Installation<T> = { below, restore: this.#place.put(value), uses: 0 };
    this.#installed.set(value, added);
    return added;
  }

  #restore(): void {
    for (let at = this.#place.get(), top = this.#installed.get(at); top?.uses === 0; at = top.below, top = this.#installed.get(at)) {
      this.#installed.delete(at);
      top.restore();
    }
  }
}
