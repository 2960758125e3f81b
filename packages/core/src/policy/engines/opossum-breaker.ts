import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type { Clock } from "../../clock.ts";
import type { BreakerConfig } from "../../model/backend.ts";
import type { Verdict } from "../../outcome.ts";
import type { BreakerState, CircuitBreaker, Permit } from "../breaker.ts";

/** What is used of opossum's CircuitBreaker. */
interface Circuit {
  readonly opened: boolean;
  readonly halfOpen: boolean;
  readonly status: { readonly window: readonly { readonly latencyTimes: number[] }[] };
  fire(...call: unknown[]): Promise<unknown>;
  on(event: "open" | "close", listener: () => void): unknown;
  shutdown(): void;
}

type CircuitConstructor = new (action: (isFailure: boolean) => unknown, options: object) => Circuit;

const BUCKETS = 5;
/** opossum keeps the duration of every call even where it is told not to use them. */
const FORGET_EVERY = 1_000;
/** setTimeout's longest: whether it is time for a probe is decided by the clock of the mesh. */
const NEVER_MS = 2 ** 31 - 1;
/** Made once: an error costs more than the rest of a refused call. */
const FAILURE = new Error("a call failed");

/** Throws TypeError with what to install where the package is not there. */
export function loadOpossum(): CircuitConstructor {
  try {
    return createRequire(import.meta.url)("opossum") as CircuitConstructor;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "MODULE_NOT_FOUND") throw error;
    throw new TypeError("engine: opossum needs the package opossum, which is not installed: npm install opossum", { cause: error });
  }
}

/**
 * opossum decides, kept lean: without its timeout, timers, percentiles and snapshots. It is told how a call ended when it has, so that
 * a call counts in the period in which it began or not at all: a late success cannot close it. Time is the mesh's: its window turns
 * and its probe is due by the clock, whenever somebody asks.
 */
export class OpossumBreaker implements CircuitBreaker {
  readonly #clock: Clock;
  readonly #Circuit: CircuitConstructor = loadOpossum();
  #config: BreakerConfig;
  #rotation = new EventEmitter();
  #circuit: Circuit;
  #period = 0;
  #openUntil = 0;
  #isProbing = false;
  #bucketSince: number;
  #calls = 0;

  constructor(config: BreakerConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#bucketSince = clock.now();
    this.#circuit = this.#make("closed");
  }

  /** What was counted under other settings is forgotten. */
  configure(config: BreakerConfig): void {
    if (config === this.#config) return;
    this.#config = config;
    this.#renew("closed");
  }

  state(now: number): BreakerState {
    if (this.#circuit.opened) return now >= this.#openUntil ? "half-open" : "open";
    return this.#circuit.halfOpen ? "half-open" : "closed";
  }

  retryInMs(now: number): number {
    return this.#circuit.opened ? Math.max(0, this.#openUntil - now) : 0;
  }

  admit(now: number): Permit | null {
    if (this.#circuit.opened) {
      if (now < this.#openUntil) return null;
      this.#renew("half-open");
    }
    if (!this.#circuit.halfOpen) return { period: this.#period, isProbe: false };
    if (this.#isProbing) return null;
    this.#isProbing = true;
    return { period: this.#period, isProbe: true };
  }

  settle(permit: Permit, verdict: Verdict, now: number): void {
    if (permit.period !== this.#period) return;
    if (verdict === "neutral") {
      if (permit.isProbe) this.#isProbing = false;
      return;
    }
    this.#rotate(now);
    // A failure throws and is counted at once; a success is in the next turn of the microtasks. Until then the probe is under way.
    this.#circuit.fire(verdict === "failure").catch(() => {
      // Nobody waits for it: the call itself is the mesh's.
    });
    if (++this.#calls % FORGET_EVERY === 0) for (const { latencyTimes } of this.#circuit.status.window) latencyTimes.length = 0;
  }

  close(): void {
    this.#circuit.shutdown();
  }

  #renew(state: "closed" | "half-open"): void {
    this.#circuit.shutdown();
    this.#circuit = this.#make(state);
    this.#begin();
  }

  #begin(): void {
    this.#period++;
    this.#isProbing = false;
  }

  #make(state: "closed" | "half-open"): Circuit {
    const { failurePercent, minRequests, windowMs } = this.#config;
    this.#rotation = new EventEmitter();
    const circuit = new this.#Circuit(act, {
      timeout: false,
      resetTimeout: NEVER_MS,
      // opossum opens above the share, the document says from it on. No share: above all there is.
      errorThresholdPercentage: failurePercent === null ? 101 : failurePercent - 1e-9,
      volumeThreshold: minRequests,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotation,
      ...(state === "half-open" ? { state: { closed: false, halfOpen: true } } : {}),
    });
    circuit.on("open", () => {
      this.#openUntil = this.#clock.now() + this.#config.openForMs;
      this.#begin();
    });
    circuit.on("close", () => this.#begin());
    return circuit;
  }

  /** All breakers turning their windows by timers would stall the process; this one turns when it is used. */
  #rotate(now: number): void {
    const bucketMs = this.#config.windowMs / BUCKETS;
    const passed = Math.floor((now - this.#bucketSince) / bucketMs);
    if (passed <= 0) return;
    for (let turn = 0; turn < Math.min(passed, BUCKETS); turn++) this.#rotation.emit("rotate");
    this.#bucketSince += passed * bucketMs;
  }
}

async function succeed(): Promise<void> {}

function act(isFailure: boolean): Promise<void> {
  if (isFailure) throw FAILURE;
  return succeed();
}
