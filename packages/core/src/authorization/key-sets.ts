import type { Clock } from "../clock.ts";
import type { JwksLocation, JwtRule } from "../model/jwt.ts";
import type { Problem } from "../model/problem.ts";
import type { Random } from "../random.ts";
import type { OwnFetch } from "./jwks-fetch.ts";
import { type KeyFiles, nodeKeyFiles } from "./jwks-file-access.ts";
import { inlineKeySet, type KeySet } from "./key-set.ts";
import { FileKeySet } from "./key-set-file.ts";
import { RemoteKeySet } from "./key-set-remote.ts";
import { loadJose } from "./token-signature.ts";

export interface KeySetsDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** For what is behind a URL; null: such keys cannot be had, and their tokens are refused. */
  readonly fetch: OwnFetch | null;
  readonly report: (problem: Problem) => void;
  readonly files?: KeyFiles;
}

/** The key sets of one mesh. One of each location, which outlives the rules that name it while the next ones do too. */
export class KeySets {
  readonly #deps: Required<KeySetsDeps>;
  readonly #known = new WeakMap<JwksLocation, KeySet>();
  #kept = new Map<string, KeySet>();
  #isClosed = false;

  constructor(deps: KeySetsDeps) {
    this.#deps = { files: nodeKeyFiles, ...deps };
  }

  /**
   * To be told when other rules come into force, before they are asked: what their tokens will need is loaded and fetched, and key sets that
   * none of them names are closed.
   */
  prepare(rules: readonly JwtRule[]): void {
    if (rules.length === 0 && this.#kept.size === 0) return;
    const kept = new Map<string, KeySet>();
    for (const { jwks } of rules) {
      if (jwks.kind === "inline") continue;
      const keySet = this.#keptOf(jwks);
      kept.set(keyOf(jwks), keySet);
      // Also where it is known: the set of a location that comes back was closed.
      this.#known.set(jwks, keySet);
    }
    for (const [key, keySet] of this.#kept) if (!kept.has(key)) keySet.close();
    this.#kept = kept;
    if (rules.length > 0) loadJose();
    for (const keySet of kept.values()) void keySet.load();
  }

  of(location: JwksLocation): KeySet {
    const known = this.#known.get(location);
    if (known) return known;
    const keySet = location.kind === "inline" ? inlineKeySet(location.jwks) : this.#keptOf(location);
    this.#known.set(location, keySet);
    return keySet;
  }

  /** Ends what is being fetched. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const keySet of this.#kept.values()) keySet.close();
  }

  #keptOf(location: Exclude<JwksLocation, { kind: "inline" }>): KeySet {
    const key = keyOf(location);
    const kept = this.#kept.get(key) ?? this.#make(location);
    this.#kept.set(key, kept);
    return kept;
  }

  #make(location: Exclude<JwksLocation, { kind: "inline" }>): KeySet {
    const { clock, random, fetch, files } = this.#deps;
    const report = (message: string): void => this.#deps.report({ where: "inbound.jwt", message, severity: "error" });
    const keySet =
      location.kind === "file"
        ? new FileKeySet(location.path, { files, clock, report })
        : new RemoteKeySet(location, { clock, random, fetch, report });
    if (this.#isClosed) keySet.close();
    return keySet;
  }
}

function keyOf(location: JwksLocation): string {
  return JSON.stringify(Object.entries(location).sort(([one], [other]) => (one < other ? -1 : 1)));
}
