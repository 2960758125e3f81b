import { hash } from "node:crypto";
import type { Clock } from "../clock.ts";
import { quoted, type Reading, read, refused } from "../identity/names/reading.ts";
import type { JwtAlgorithm, JwtRule } from "../model/jwt.ts";
import type { KeySets } from "./key-sets.ts";
import { type KeyRing, keysFor } from "./terms/jwks.ts";
import { type AdmittedToken, TokenCache } from "./token-cache.ts";
import { checkClaims } from "./token-claims.ts";
import { isSignedWith } from "./token-signature.ts";
import { readToken, type UnverifiedToken } from "./token-text.ts";

/** A token that names no key is tried with so many, so that a forged one costs no more. */
const MAX_KEYS_TRIED = 8;

export interface TokenVerifierDeps {
  readonly clock: Clock;
  readonly keySets: KeySets;
}

/** Says whether tokens are valid. What is refused is forgotten; what is valid is remembered as long as its keys and its time allow. */
export class TokenVerifier {
  readonly #clock: Clock;
  readonly #keySets: KeySets;
  readonly #cache = new TokenCache();

  constructor({ clock, keySets }: TokenVerifierDeps) {
    this.#clock = clock;
    this.#keySets = keySets;
  }

  /** Under one of `rules`; null: not known to be. Does not wait. */
  known(text: string, rules: readonly JwtRule[]): AdmittedToken | null {
    return this.#remembered(digestOf(text), rules);
  }

  /** Under the first of `rules` that it is valid under; otherwise why not, in words that hold nothing of the token but its issuer. */
  async verify(text: string, rules: readonly JwtRule[]): Promise<Reading<AdmittedToken>> {
    const digest = digestOf(text);
    const before = this.#cache.get(digest);
    if (before) {
      // Its keys may only have to be looked at again.
      await this.#keySets.of(before.rule.jwks).load();
      const remembered = this.#remembered(digest, rules);
      if (remembered) return read(remembered);
    }
    const token = readToken(text);
    if (!token.ok) return token;
    const { issuer } = token.value;
    const candidates = rules.filter((rule) => rule.issuer === issuer);
    if (candidates.length === 0) return refused(`no rule names its issuer ${quoted(issuer)}`);
    const reasons: string[] = [];
    for (const rule of candidates) {
      const admitted = await this.#under(rule, token.value);
      if (admitted.ok) {
        this.#cache.set(digest, admitted.value);
        return admitted;
      }
      reasons.push(`rule ${quoted(rule.name)}: ${admitted.reason}`);
    }
    return refused(reasons.join("; "));
  }

  #remembered(digest: string, rules: readonly JwtRule[]): AdmittedToken | null {
    const token = this.#cache.get(digest);
    if (token === null || !rules.includes(token.rule)) return null;
    const wallMs = this.#clock.wallTime();
    const isInForce = this.#keySets.of(token.rule.jwks).current() === token.ring && token.fromMs <= wallMs && wallMs < token.untilMs;
    return isInForce ? token : null;
  }

  async #under(rule: JwtRule, token: UnverifiedToken): Promise<Reading<AdmittedToken>> {
    const algorithm = rule.algorithms.find((allowed) => allowed === token.algorithm);
    if (algorithm === undefined) return refused("its algorithm is not one of the rule's");
    // Before its signature: what the time has made worthless costs no cryptography.
    const early = checkClaims(token.claims, rule, this.#clock.wallTime());
    if (!early.ok) return early;
    const ring = await this.#signer(rule, token, algorithm);
    if (!ring.ok) return ring;
    // Again, as keys may have been waited for.
    const claimed = checkClaims(token.claims, rule, this.#clock.wallTime());
    return claimed.ok ? read({ ...claimed.value, rule, ring: ring.value }) : claimed;
  }

  /** The keys of which one has signed it. */
  async #signer(rule: JwtRule, { text, kid }: UnverifiedToken, algorithm: JwtAlgorithm): Promise<Reading<KeyRing>> {
    const keySet = this.#keySets.of(rule.jwks);
    let ring = keySet.current() ?? (await keySet.load());
    if (ring !== null && keysFor(ring, algorithm, kid).length === 0) ring = await keySet.renew(ring);
    if (ring === null) return refused(`the keys of its issuer cannot be had: ${keySet.problem ?? "they are too old"}`);
    const keys = keysFor(ring, algorithm, kid).slice(0, MAX_KEYS_TRIED);
    if (keys.length === 0) return refused(keySet.problem ?? "its issuer has no key of this ID for this algorithm");
    for (const key of keys) if (await isSignedWith(text, key, algorithm)) return read(ring);
    return refused("its signature is not of a key of its issuer");
  }
}

function digestOf(text: string): string {
  return hash("sha256", text, "base64");
}
