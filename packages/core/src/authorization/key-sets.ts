import { resolve } from "node:path";
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

/** For people; no key. */
export interface InspectedKeySet {
  readonly rule: string;
  readonly issuer: string;
  /** `inline`, a path, or a URL. */
  readonly source: string;
  /** The IDs of the keys that may be used, null for one without; the list is null while there are none. */
  readonly keys: readonly (string | null)[] | null;
  /** Since they were known to be so; null: they stand in the configuration, or there are none. */
  readonly ageMs: number | null;
  /** Why there are no keys, or no newer ones. */
  readonly problem: string | null;
}

function inspected(keySet: KeySet, now: number): Pick<InspectedKeySet, "keys" | "ageMs" | "problem"> {
  const held = keySet.held();
  return {
    keys: held?.ring.keys.map(({ kid }) => kid) ?? null,
    ageMs: held === null || held.knownAt === null ? null : now - held.knownAt,
    problem: keySet.problem,
  };
}

/** The key sets of one mesh. One of each location, which outlives the rules that name it while the next ones do too. */
export class KeySets {
  readonly #deps: Required<KeySetsDeps>;
  readonly #known = new WeakMap<JwksLocation, KeySet>();
  #kept = new Map<string, KeySet>();
  /** Who names each location, in the rules in force. */
  #namedBy = new Map<string, JwtRule[]>();
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
    this.#namedBy = new Map();
    for (const rule of rules) {
      const { jwks } = rule;
      if (jwks.kind === "inline") continue;
      this.#namedBy.set(keyOf(jwks), [...(this.#namedBy.get(keyOf(jwks)) ?? []), rule]);
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

  /** What the rules verify by; nothing is fetched for it. */
  inspect(rules: readonly JwtRule[]): readonly InspectedKeySet[] {
    return rules.map(({ name, issuer, jwks }) => {
      const { problem, ...keySet } = inspected(this.of(jwks), this.#deps.clock.now());
      const source = jwks.kind === "inline" ? "inline" : jwks.kind === "file" ? jwks.path : jwks.url;
      return { rule: name, issuer, source, ...keySet, problem };
    });
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
    const report = (message: string): void => this.#report(keyOf(location), message);
    const keySet =
      location.kind === "file"
        ? new FileKeySet(resolve(location.path), { files, clock, report })
        : new RemoteKeySet(location, { clock, random, fetch, report });
    if (this.#isClosed) keySet.close();
    return keySet;
  }

  #report(key: string, message: string): void {
    const rules = this.#namedBy.get(key) ?? [];
    const names = rules.length === 0 ? "" : `jwt ${rules.map(({ name }) => name).join(", ")}: `;
    this.#deps.report({ where: rules[0]?.origin ?? "inbound.jwt", message: `${names}${message}`, severity: "error" });
  }
}

function keyOf(location: JwksLocation): string {
  return JSON.stringify(Object.entries(location).sort(([one], [other]) => (one < other ? -1 : 1)));
}
