import type { Clock } from "../clock.ts";
import type { KeyFiles } from "./jwks-file-access.ts";
import type { HeldKeys, KeySet } from "./key-set.ts";
import { type KeyRing, parseJwks, unusable } from "./terms/jwks.ts";

/** How old what is known of the file may be. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Keys in a file: a change is in force within a second. Looked at when a token needs them, so that nothing has to be watched or closed.
 * What cannot be read, or is no key set, leaves the last good keys in force and is reported.
 */
export class FileKeySet implements KeySet {
  problem: string | null = null;
  readonly #path: string;
  readonly #files: KeyFiles;
  readonly #clock: Clock;
  readonly #report: (problem: string) => void;
  #ring: KeyRing | null = null;
  #text: string | null = null;
  #stamp = "";
  #lookedAt = Number.NEGATIVE_INFINITY;
  #look: Promise<void> | null = null;

  constructor(path: string, deps: { readonly files: KeyFiles; readonly clock: Clock; readonly report: (problem: string) => void }) {
    this.#path = path;
    this.#files = deps.files;
    this.#clock = deps.clock;
    this.#report = deps.report;
  }

  current(): KeyRing | null {
    return this.#clock.now() - this.#lookedAt < LOOK_AGAIN_MS ? this.#ring : null;
  }

  held(): HeldKeys | null {
    return this.#ring && { ring: this.#ring, knownAt: this.#lookedAt };
  }

  async load(): Promise<KeyRing | null> {
    if (this.#clock.now() - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#look ??= this.#lookAgain().finally(() => {
        this.#look = null;
      });
      await this.#look;
    }
    return this.#ring;
  }

  renew(): Promise<KeyRing | null> {
    return this.load();
  }

  close(): void {}

  async #lookAgain(): Promise<void> {
    const startedAt = this.#clock.now();
    try {
      const stamp = await this.#files.stamp(this.#path);
      if (stamp !== this.#stamp) this.#take(await this.#files.read(this.#path), stamp);
    } catch (error) {
      // Looked at again even if it comes back as it was.
      this.#stamp = "";
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    this.#lookedAt = startedAt;
  }

  #take(text: string, stamp: string): void {
    const reading = text === this.#text && this.#ring ? { ok: true as const, value: this.#ring } : parseJwks(text);
    this.#stamp = stamp;
    if (!reading.ok) {
      this.#fail(reading.reason);
      return;
    }
    this.#ring = reading.value;
    this.#text = text;
    const flawed = unusable(reading.value);
    if (flawed === null) this.problem = null;
    else this.#fail(flawed);
  }

  #fail(why: string): void {
    const problem = `${this.#path}: ${why}`;
    if (problem !== this.problem)
      this.#report(`${problem}; ${this.#ring?.keys.length ? "the last good keys stay in force" : "every token is refused"}`);
    this.problem = problem;
  }
}
