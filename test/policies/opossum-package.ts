import { createRequire } from "node:module";

/** What the tests use of the real package, which has no types of its own. */
export interface OpossumBreaker {
  readonly opened: boolean;
  readonly halfOpen: boolean;
  readonly closed: boolean;
  readonly stats: { readonly fires: number; readonly failures: number; readonly successes: number };
  fire(...call: unknown[]): Promise<unknown>;
  open(): void;
  shutdown(): void;
  fallback(value: () => unknown): unknown;
}

type Constructor = new (action: (call: () => unknown) => unknown, options?: object) => OpossumBreaker;

export const Opossum = createRequire(import.meta.url)("opossum") as Constructor;
