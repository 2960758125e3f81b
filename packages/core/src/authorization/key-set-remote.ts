import type { Clock } from "../clock.ts";
import type { JwksLocation } from "../model/jwt.ts";
import type { Random } from "../random.ts";
import { fetchJwks, type OwnFetch } from "./jwks-fetch.ts";
import type { HeldKeys, KeySet } from "./key-set.ts";
import { type KeyRing, unusable } from "./terms/jwks.ts";
import { jwksUrlProblem } from "./terms/jwks-url.ts";

export type RemoteJwks = Extract<JwksLocation, { kind: "remote" }>;

export interface RemoteKeySetDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** null: this process has none, so that nothing can be fetched. */
  readonly fetch: OwnFetch | null;
  readonly report: (problem: string) => void;
}

/** Keys in use are fetched again before they are too old, so that no request waits: at this share of their age, less by chance. */
const EARLY = 0.9;
const SPREAD = 0.1;
/** The pause after the first fetch that failed; each further one doubles it, up to the cooldown. */
const FIRST_PAUSE_MS = 1_000;

/**
 * Keys behind a URL, fetched when a token needs them, one fetch at a time, whoever waits for it. Never older than `maxAge`, unless fetching
 * fails: then by `staleIfError` at most.
 */
export class RemoteKeySet implements KeySet {
  problem: string | null = null;
  readonly #location: RemoteJwks;
  readonly #deps: RemoteKeySetDeps;
  readonly #closing = new AbortController();
  readonly #earlyAgeMs: number;
  #ring: KeyRing | null = null;
  #text = "";
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #attemptAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #flight: Promise<void> | null = null;

  constructor(location: RemoteJwks, deps: RemoteKeySetDeps) {
    this.#location = location;
    this.#deps = deps;
    this.#earlyAgeMs = location.maxAgeMs * (EARLY - SPREAD * deps.random());
  }

  current(): KeyRing | null {
    const ring = this.#usable();
    if (ring !== null && this.#now() - this.#fetchedAt >= this.#earlyAgeMs && this.#mayFetchForAge()) void this.#fetch();
    return ring;
  }

  held(): HeldKeys | null {
    return this.#ring && { ring: this.#ring, knownAt: this.#fetchedAt };
  }

  async load(): Promise<KeyRing | null> {
    const ring = this.current();
    if (ring !== null) return ring;
    if (this.#flight !== null || this.#mayFetchForAge()) await this.#fetch();
    return this.#usable();
  }

  async renew(ring: KeyRing): Promise<KeyRing | null> {
    const current = this.#usable();
    if (current !== ring) return current;
    if (this.#flight !== null || this.#now() - this.#attemptAt >= this.#location.cooldownMs) await this.#fetch();
    return this.#usable();
  }

  close(): void {
    this.#closing.abort();
  }

  #usable(): KeyRing | null {
    const { maxAgeMs, staleIfErrorMs } = this.#location;
    const oldestMs = this.#failures > 0 ? maxAgeMs + staleIfErrorMs : maxAgeMs;
    return this.#now() - this.#fetchedAt < oldestMs ? this.#ring : null;
  }

  #mayFetchForAge(): boolean {
    if (this.#failures === 0) return true;
    const pauseMs = Math.min(this.#location.cooldownMs, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 20));
    return this.#now() - this.#attemptAt >= pauseMs;
  }

  #fetch(): Promise<void> {
    this.#flight ??= this.#attempt().finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  async #attempt(): Promise<void> {
    const { url, timeoutMs } = this.#location;
    const { fetch, clock } = this.#deps;
    const startedAt = this.#now();
    this.#attemptAt = startedAt;
    try {
      const flaw = jwksUrlProblem(url);
      if (flaw !== null) throw new Error(`the URL ${flaw}`);
      if (fetch === null) throw new Error("this process has no transport that fetches; @heddle/http brings one");
      if (this.#closing.signal.aborted) throw new Error("the mesh closed");
      const { text, ring } = await fetchJwks({ url, fetch, clock, timeoutMs, signal: this.#closing.signal });
      if (text !== this.#text || this.#ring === null) this.#ring = ring;
      this.#text = text;
      // From when it was asked, as the answer may have been true then and no later.
      this.#fetchedAt = startedAt;
      this.#failures = 0;
      const flawed = unusable(ring);
      if (flawed === null) this.problem = null;
      else this.#fail(`${url}: ${flawed}`);
    } catch (error) {
      this.#failures++;
      this.#fail(`${url}: ${causes(error)}`);
    }
  }

  #fail(problem: string): void {
    const isNew = problem !== this.problem;
    this.problem = problem;
    if (!isNew || this.#closing.signal.aborted) return;
    this.#deps.report(`${problem}; ${this.#usable()?.keys.length ? "the last good keys serve on for now" : "every token is refused"}`);
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

/** fetch says what failed in the cause of what it throws. */
function causes(error: unknown): string {
  const words: string[] = [];
  for (let at = error; at instanceof Error && words.length < 4; at = at.cause) words.push(at.message);
  return words.length === 0 ? String(error) : words.join(": ");
}
