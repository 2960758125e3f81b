import type { Clock } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { type MeshRequest, nameAt } from "../message.ts";
import type { BreakerConfig } from "../model/backend.ts";
import { outcomeOfError, type Verdict, verdictOf } from "../outcome.ts";

const SLOTS = 10;

/** Leave to make one call. Its verdict counts only in the period in which it was given. */
export interface Permit {
  readonly period: number;
  /** The one call by which a half-open breaker decides. */
  readonly isProbe: boolean;
}

export type BreakerState = "closed" | "open" | "half-open";

/** Decides whether a call may be made, from how the calls before it ended. */
export interface CircuitBreaker {
  configure(config: BreakerConfig): void;
  state(now: number): BreakerState;
  /** Milliseconds until the next probe is let through; 0 unless open. */
  retryInMs(now: number): number;
  /** Leave for one call, or null. Each permit must be settled exactly once. */
  admit(now: number): Permit | null;
  settle(permit: Permit, verdict: Verdict, now: number): void;
  /** It is not asked any more. */
  close(): void;
}

/**
 * Stops calls to a backend that fails as a whole: open after failures in a row, or when enough of a window failed; after `openFor`
 * a single call probes, and its success closes. A pure state machine; verdicts of calls that began in an earlier period are ignored,
 * so that a late success cannot close it.
 */
export class Breaker implements CircuitBreaker {
  #config: BreakerConfig;
  #state: BreakerState = "closed";
  #period = 0;
  #consecutive = 0;
  #openUntil = 0;
  #isProbing = false;
  readonly #total = new Float64Array(SLOTS);
  readonly #failed = new Float64Array(SLOTS);
  #slot = 0;
  #slotStart: number;

  constructor(config: BreakerConfig, now: number) {
    this.#config = config;
    this.#slotStart = now;
  }

  configure(config: BreakerConfig): void {
    this.#config = config;
  }

  state(now: number): BreakerState {
    return this.#state === "open" && now >= this.#openUntil ? "half-open" : this.#state;
  }

  retryInMs(now: number): number {
    return this.#state === "open" ? Math.max(0, this.#openUntil - now) : 0;
  }

  close(): void {}

  admit(now: number): Permit | null {
    if (this.#state === "closed") return { period: this.#period, isProbe: false };
    if (this.#state === "open") {
      if (now < this.#openUntil) return null;
      this.#enter("half-open");
    }
    if (this.#isProbing) return null;
    this.#isProbing = true;
    return { period: this.#period, isProbe: true };
  }

  settle(permit: Permit, verdict: Verdict, now: number): void {
    if (permit.period !== this.#period) return;
    this.#isProbing = false;
    if (verdict === "neutral") return;
    if (this.#state === "half-open") {
      if (verdict === "success") this.#enter("closed");
      else this.#open(now);
      return;
    }
    this.#count(verdict, now);
    if (verdict === "failure" && this.#isTripped()) this.#open(now);
  }

  #count(verdict: Verdict, now: number): void {
    this.#rotate(now);
    this.#total[this.#slot] = (this.#total[this.#slot] as number) + 1;
    if (verdict === "success") {
      this.#consecutive = 0;
      return;
    }
    this.#consecutive++;
    this.#failed[this.#slot] = (this.#failed[this.#slot] as number) + 1;
  }

  #isTripped(): boolean {
    const { consecutiveFailures, failurePercent, minRequests } = this.#config;
    if (consecutiveFailures !== null && this.#consecutive >= consecutiveFailures) return true;
    if (failurePercent === null) return false;
    const total = sum(this.#total);
    return total >= minRequests && sum(this.#failed) * 100 >= failurePercent * total;
  }

  #open(now: number): void {
    this.#enter("open");
    this.#openUntil = now + this.#config.openForMs;
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#period++;
    this.#isProbing = false;
    this.#consecutive = 0;
    this.#total.fill(0);
    this.#failed.fill(0);
  }

  #rotate(now: number): void {
    const slotMs = this.#config.windowMs / SLOTS;
    const passed = Math.floor((now - this.#slotStart) / slotMs);
    if (passed <= 0) return;
    for (let step = 0; step < Math.min(passed, SLOTS); step++) {
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#total[this.#slot] = 0;
      this.#failed[this.#slot] = 0;
    }
    this.#slotStart += passed * slotMs;
  }
}

function sum(slots: Float64Array): number {
  let total = 0;
  for (const slot of slots) total += slot;
  return total;
}

/** Of a gRPC call with one answer, how it went is known soon after its head. */
function isAnswerLong({ context: { rpc } }: MeshRequest): boolean {
  return rpc === null || rpc.kind !== "unary";
}

/** Asks the breaker before each try and tells it how the try ended. A refusal is final: it is not retried. */
export function breakerLayer(backend: string, breaker: CircuitBreaker, clock: Clock): Layer {
  return (next) => (request) => {
    const now = clock.now();
    const permit = breaker.admit(now);
    const { attempt } = request;
    if (permit === null) {
      const wait = breaker.retryInMs(now);
      return Promise.reject(
        new MeshError(
          "breaker_open",
          `${nameAt(request, backend)}: the breaker is open${wait > 0 ? `; it lets a probe through in ${formatDuration(Math.ceil(wait))}` : " and a probe is under way"}`,
        ),
      );
    }
    const settle = (error: unknown) => {
      if (attempt && error !== null && attempt.outcome === "pending") attempt.outcome = outcomeOfError(error, request.cancel.isCancelled);
      breaker.settle(permit, attempt ? verdictOf(attempt) : "neutral", clock.now());
    };
    return next(request).then(
      (response) => {
        // A pipe may stay open for days. And a probe is over with a good head: a long body must not hold back everybody else.
        if (response.socket || (permit.isProbe && isAnswerLong(request) && attempt !== null && verdictOf(attempt) === "success"))
          settle(null);
        else response.body.whenEnd(settle);
        return response;
      },
      (error) => {
        settle(error);
        throw error;
      },
    );
  };
}
