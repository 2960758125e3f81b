import type { JwtRule } from "../model/jwt.ts";
import type { KeyRing } from "./terms/jwks.ts";
import type { ClaimedToken } from "./token-claims.ts";

/** A token that was verified, and under what. */
export interface AdmittedToken extends ClaimedToken {
  readonly rule: JwtRule;
  readonly ring: KeyRing;
}

/** Tokens are a kilobyte or so each: a few megabytes at most. */
export const MAX_CACHED_TOKENS = 1_000;

/** Verified tokens by digest, those used last. Holds no token that could be used: who reads the memory of the process finds none here. */
export class TokenCache {
  readonly #tokens = new Map<string, AdmittedToken>();

  get(digest: string): AdmittedToken | null {
    const found = this.#tokens.get(digest);
    if (found === undefined) return null;
    this.#tokens.delete(digest);
    this.#tokens.set(digest, found);
    return found;
  }

  set(digest: string, token: AdmittedToken): void {
    this.#tokens.delete(digest);
    const [oldest] = this.#tokens.size >= MAX_CACHED_TOKENS ? this.#tokens.keys() : [];
    if (oldest !== undefined) this.#tokens.delete(oldest);
    this.#tokens.set(digest, token);
  }

  get size(): number {
    return this.#tokens.size;
  }
}
