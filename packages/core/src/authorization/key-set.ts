import { type KeyRing, readJwks, unusable } from "./terms/jwks.ts";

export interface HeldKeys {
  readonly ring: KeyRing;
  /** By the clock: when they were known to be so; null: they cannot change. */
  readonly knownAt: number | null;
}

/** The keys of one issuer, wherever they come from. */
export interface KeySet {
  /** The keys in force; null: {@link load} has to be waited for. */
  current(): KeyRing | null;
  /** null: there are none that may be used, and {@link problem} says why. Never rejects. */
  load(): Promise<KeyRing | null>;
  /** Asked where `ring` lacks a key that a token names. The keys in force after looking again, if that may be; null: as with `load`. */
  renew(ring: KeyRing): Promise<KeyRing | null>;
  /** What is there now, whether it may still be used or not; asks for nothing. */
  held(): HeldKeys | null;
  /** Why there are no keys, or no newer ones. */
  readonly problem: string | null;
  close(): void;
}

/** Keys that stand in the configuration. */
export function inlineKeySet(jwks: object): KeySet {
  const reading = readJwks(jwks);
  const ring = reading.ok ? reading.value : null;
  const flaw = reading.ok ? unusable(reading.value) : reading.reason;
  return {
    current: () => ring,
    held: () => ring && { ring, knownAt: null },
    load: () => Promise.resolve(ring),
    renew: () => Promise.resolve(ring),
    problem: flaw === null ? null : `the inline key set: ${flaw}`,
    close: () => {},
  };
}
