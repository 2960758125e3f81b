import type { NamedPolicy } from "../../extension-options.ts";

/** What a policy does itself, and is not done a second time beside it. */
export interface Concerns {
  readonly retry: boolean;
  readonly breaker: boolean;
  /** Of calls at once. */
  readonly limits: boolean;
}

const NONE: Concerns = { retry: false, breaker: false, limits: false };
/** Of something foreign with `execute` the worst is assumed: retries inside of retries multiply. */
const UNKNOWN: Concerns = { retry: true, breaker: false, limits: false };

/** Told by the shape: cockatiel's classes and opossum's, of whatever copy of the packages. */
export function concernsOf(policy: NamedPolicy): Concerns {
  const shape = policy as unknown as Readonly<Record<string, unknown>>;
  if (typeof shape.fire === "function") return { retry: false, breaker: true, limits: hasCapacity(shape.options) };
  if (Array.isArray(shape.wrapped)) return shape.wrapped.map((inner) => concernsOf(inner as NamedPolicy)).reduce(either, NONE);
  if ("onRetry" in shape) return { ...NONE, retry: true };
  if ("onBreak" in shape) return { ...NONE, breaker: true };
  if ("executionSlots" in shape) return { ...NONE, limits: true };
  // What is left of cockatiel: timeout, fallback, noop.
  return "onSuccess" in shape && "onFailure" in shape ? NONE : UNKNOWN;
}

function either(one: Concerns, other: Concerns): Concerns {
  return { retry: one.retry || other.retry, breaker: one.breaker || other.breaker, limits: one.limits || other.limits };
}

function hasCapacity(options: unknown): boolean {
  const capacity = (options as { capacity?: unknown } | null | undefined)?.capacity;
  return typeof capacity === "number" && capacity < Number.MAX_SAFE_INTEGER;
}
