import type { Attempt } from "../context.ts";
import type { OutlierConfig } from "../model/backend.ts";
import type { Endpoint } from "../model/endpoint-set.ts";
import { endDrain, isDrainProbe, leaveAlone } from "./drain.ts";
import { EndpointState, wasTried } from "./endpoint.ts";
import { type EndedExchange, recordOutcome } from "./outlier.ts";

/** The endpoints of one backend with their state. Reconciled when the configuration changes, never rebuilt. */
export class EndpointStates {
  all: readonly EndpointState[] = [];
  #ready: readonly EndpointState[] = [];
  /** The earliest time at which the ready ones change without anything happening. */
  #nextReturnAt: number = Number.POSITIVE_INFINITY;
  #outlier: OutlierConfig | null;

  constructor(outlier: OutlierConfig | null) {
    this.#outlier = outlier;
  }

  configure(outlier: OutlierConfig | null): void {
    this.#outlier = outlier;
  }

  /** Returns the states that left. A state is kept for the same address and uid. */
  update(endpoints: readonly Endpoint[], now: number): readonly EndpointState[] {
    const old = this.all;
    // Most updates leave most endpoints where they were: up to the first that moved, nothing has to be looked up.
    let same = 0;
    while (same < old.length && same < endpoints.length && isSame(old[same] as EndpointState, endpoints[same] as Endpoint)) same++;
    const moved = new Map<string, EndpointState>();
    const twins: EndpointState[] = [];
    for (const state of old.slice(same)) {
      const key = keyOf(state.endpoint);
      const twin = moved.get(key);
      if (twin) twins.push(twin);
      moved.set(key, state);
    }
    this.all = endpoints.map((endpoint, index) => {
      const state = index < same ? (old[index] as EndpointState) : taken(moved, endpoint);
      if (!state) return new EndpointState(endpoint, now);
      state.endpoint = endpoint;
      return state;
    });
    this.#rebuild(now);
    return [...twins, ...moved.values()];
  }

  /**
   * Endpoints for a try: neither ejected nor draining. All of them if none is left, or if this request has failed at each that is
   * (`tries` holds the one that begins, too), because a guess beats a certain failure (panic).
   */
  candidates(now: number, tries: readonly Attempt[] = []): readonly EndpointState[] {
    if (now >= this.#nextReturnAt) this.#rebuild(now);
    const ready = this.#ready;
    if (ready.length === 0) return this.all;
    if (ready.length === this.all.length) return ready;
    return tries.length > ready.length && ready.every((state) => wasTried(state, tries)) ? this.all : ready;
  }

  record(state: EndpointState, ended: EndedExchange): void {
    if (ended.isFailure) state.failures++;
    if (state.drains > 0) {
      if (ended.isFailure && isDrainProbe(state, ended.startedAt)) this.drain(state, ended.now);
      return;
    }
    if (this.#outlier === null) return;
    const neighbours = { total: this.all.length, out: this.all.length - this.#ready.length };
    if (recordOutcome(state, ended, this.#outlier, neighbours)) this.#rebuild(ended.now);
  }

  /** The endpoint said that it takes no new work. */
  drain(state: EndpointState, now: number): void {
    if (state.status === "draining") return;
    leaveAlone(state, now);
    this.#rebuild(now);
  }

  /** The endpoint answered, and said nothing of a drain. */
  answered(state: EndpointState, startedAt: number, now: number): void {
    if (isDrainProbe(state, startedAt)) endDrain(state, now);
  }

  #rebuild(now: number): void {
    const ready: EndpointState[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const state of this.all) {
      if ((state.status === "ejected" || state.status === "draining") && now >= state.returnsAt) makeHalfOpen(state);
      if (state.status === "ready" || state.status === "half-open") {
        if (state.endpoint.health === "healthy" || state.endpoint.health === "unknown") ready.push(state);
      } else next = Math.min(next, state.returnsAt);
    }
    this.#ready = ready;
    this.#nextReturnAt = next;
  }
}

function keyOf(endpoint: Endpoint): string {
  return endpoint.uid === "" ? endpoint.address : `${endpoint.address} ${endpoint.uid}`;
}

function isSame({ endpoint }: EndpointState, { address, uid }: Endpoint): boolean {
  return endpoint.address === address && endpoint.uid === uid;
}

/** An endpoint that is listed twice has its state once. */
function taken(states: Map<string, EndpointState>, endpoint: Endpoint): EndpointState | undefined {
  const key = keyOf(endpoint);
  const state = states.get(key);
  if (state) states.delete(key);
  return state;
}

/** The penalty that the failures left on the estimate would keep the probe away. */
function makeHalfOpen(state: EndpointState): void {
  state.status = "half-open";
  state.consecutiveFailures = 0;
  state.estimateMs = Number.NaN;
  state.isPenalised = false;
}
