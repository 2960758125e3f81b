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

interface Marked<T> {
  [INSTALLATION]?: Installation<T>;
}

// On the value itself, under a name that all copies of this package share: those of another copy may be below, or on top.
const INSTALLATION: unique symbol = Symbol.for("heddle.installation");

/** Values that take turns in one place: each comes off when it is on top and no longer in use, in whatever order they are given up. */
export class GlobalPlace<T extends object> {
  readonly #place: Place<T>;

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
    for (let at = this.#place.get(), found = installationOf(at); found; at = found.below, found = installationOf(at))
      if (at === value) return found;
    return undefined;
  }

  #add(value: T): Installation<T> {
    const below = this.#place.get();
    const added: Installation<T> = { below, restore: this.#place.put(value), uses: 0 };
    (value as Marked<T>)[INSTALLATION] = added;
    return added;
  }

  #restore(): void {
    for (let at = this.#place.get(), top = installationOf(at); top?.uses === 0; at = top.below, top = installationOf(at)) {
      delete (at as Marked<T>)[INSTALLATION];
      top.restore();
    }
  }
}

function installationOf<T extends object>(value: T): Installation<T> | undefined {
  return (value as Marked<T>)[INSTALLATION];
}
