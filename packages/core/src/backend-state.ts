import type { BalanceTarget } from "./balance/balance.ts";
import type { Balancer } from "./balance/balancer.ts";
import { customBalancer } from "./balance/custom.ts";
import { leastRequest } from "./balance/least-request.ts";
import { PeakEwma } from "./balance/peak-ewma.ts";
import { randomBalancer } from "./balance/random.ts";
import { RoundRobin } from "./balance/round-robin.ts";
import type { EmptyTarget } from "./balance/when-empty.ts";
import type { ClientTls } from "./client-tls.ts";
import type { Clock } from "./clock.ts";
import type { ChannelLease, Channels } from "./endpoint/channels.ts";
import type { EndpointState } from "./endpoint/endpoint.ts";
import { EndpointStates } from "./endpoint/endpoint-set.ts";
import type { Extensions } from "./extensions.ts";
import { type HeaderMap, headerValue } from "./message.ts";
import type { Backend, BalancerPolicy } from "./model/backend.ts";
import type { Endpoint, EndpointSet } from "./model/endpoint-set.ts";
import type { Problem } from "./model/problem.ts";
import type { CircuitBreaker } from "./policy/breaker.ts";
import type { InFlight } from "./policy/concurrency-limit.ts";
import { breakerOf, reconfigured } from "./policy/engines/breaker-of.ts";
import { retryAfterMs } from "./policy/retry-after.ts";
import { RetryBudget } from "./policy/retry-budget.ts";
import type { Random } from "./random.ts";
import type { Channel } from "./transport.ts";

export interface BackendStateDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly channels: Channels;
  readonly extensions: Extensions;
  /** How its endpoints are spoken to; null: plain text. */
  clientTls(backend: Backend): ClientTls | null;
  report(problem: Problem): void;
}

/**
 * What the mesh knows about one backend: everything that must survive a configuration change, and the parts that a change replaces.
 * Keyed by the backend's name.
 */
export class BackendState implements BalanceTarget, EmptyTarget {
  backend: Backend;
  /** null: plain text. */
  tls: ClientTls | null;
  readonly endpoints: EndpointStates;
  balancer: Balancer;
  breaker: CircuitBreaker | null;
  readonly retryBudget: RetryBudget;
  readonly inFlight: InFlight = { count: 0 };
  pending = 0;
  readonly #dependencies: BackendStateDependencies;
  readonly #waiting = new Set<() => void>();
  #endpointSet: EndpointSet | null = null;
  #isRetired = false;
  /** Wall time. */
  #emptySince = 0;

  constructor(backend: Backend, endpointSet: EndpointSet | null, dependencies: BackendStateDependencies) {
    const now = dependencies.clock.now();
    this.backend = backend;
    this.tls = dependencies.clientTls(backend);
    this.#dependencies = dependencies;
    this.endpoints = new EndpointStates(backend.outlier);
    this.balancer = balancerOf(backend.balancer.policy, dependencies);
    this.breaker = backend.breaker === null ? null : breakerOf(backend.breaker, dependencies.clock);
    this.retryBudget = new RetryBudget(backend.retryBudget, now);
    this.#updateEndpoints(endpointSet, now);
  }

  get name(): string {
    return this.backend.name;
  }

  get maxPending(): number {
    return this.backend.limits.maxPending;
  }

  update(backend: Backend, endpointSet: EndpointSet | null): void {
    const previous = this.backend;
    const now = this.#dependencies.clock.now();
    if (backend !== previous) {
      this.backend = backend;
      this.endpoints.configure(backend.outlier);
      if (backend.balancer.policy !== previous.balancer.policy) this.balancer = balancerOf(backend.balancer.policy, this.#dependencies);
      this.breaker = reconfigured(this.breaker, previous.breaker, backend.breaker, this.#dependencies.clock);
      this.retryBudget.configure(backend.retryBudget);
      const { tls } = this;
      this.tls = this.#dependencies.clientTls(backend);
      if (!hasSameChannels(backend, previous) || tls?.key !== this.tls?.key) this.#renewLeases();
    }
    if (backend !== previous || endpointSet !== this.#endpointSet) this.#updateEndpoints(endpointSet, now);
  }

  /** The backend left the configuration. Requests in flight finish on the channels they have. */
  retire(): void {
    this.#isRetired = true;
    this.breaker?.close();
    this.#releaseLeases(this.endpoints.all);
    this.#wake();
  }

  channel(state: EndpointState, now: number): Channel {
    state.lease ??= this.#lease(state);
    const channel = state.lease.channel(now);
    // A last try of a request that began before: nobody would release what it leased.
    if (this.#isRetired) this.#releaseLeases([state]);
    return channel;
  }

  /** Gives up the claims on channels that nothing used for a long time: most of what an idle endpoint holds. */
  releaseIdle(now: number): void {
    this.#releaseLeases(this.endpoints.all.filter(({ lease }) => lease?.isIdle(now)));
  }

  retryAfterMs(headers: HeaderMap): number {
    if (headerValue(headers, "retry-after") === undefined) return 0;
    return retryAfterMs(headers, this.#dependencies.clock.wallTime()) ?? 0;
  }

  get isEmpty(): boolean {
    return this.endpoints.all.length === 0;
  }

  whenChanged(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  emptyBecause(): string {
    return `${this.#whyEmpty()} (since ${new Date(this.#emptySince).toISOString()})`;
  }

  #whyEmpty(): string {
    const set = this.#endpointSet;
    if (set === null) return "no source gives it an endpoint set";
    const labels = Object.entries(this.backend.selector).map(([name, value]) => `${name}=${value}`);
    if (set.endpoints.length === 0) return `${set.origin} gives it no endpoint`;
    return `none of the ${set.endpoints.length} endpoints of ${set.origin} has the labels ${labels.join(", ")}`;
  }

  #updateEndpoints(endpointSet: EndpointSet | null, now: number): void {
    const wasEmpty = this.isEmpty;
    const isFirst = this.#emptySince === 0;
    this.#endpointSet = endpointSet;
    const selected = endpointSet === null ? [] : selectedBy(this.backend.selector, endpointSet.endpoints);
    this.#releaseLeases(this.endpoints.update(selected, now));
    if (isFirst || (this.isEmpty && !wasEmpty)) this.#emptySince = this.#dependencies.clock.wallTime();
    if (!this.isEmpty) this.#wake();
  }

  /** A listener that still finds nothing gives up: it is woken when there is something, or when there never will be. */
  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener();
  }

  #lease({ address }: EndpointState): ChannelLease {
    const { protocol, limits, connectTimeoutMs } = this.backend;
    return this.#dependencies.channels.lease({ address, protocol, tls: this.tls, maxConnections: limits.maxConnections, connectTimeoutMs });
  }

  /** The settings of the channels changed: the new ones are held before the old are let go, so that those close at once. */
  #renewLeases(): void {
    for (const state of this.endpoints.all) {
      if (!state.lease) continue;
      const old = state.lease;
      state.lease = this.#lease(state);
      old.release();
    }
  }

  #releaseLeases(states: readonly EndpointState[]): void {
    for (const state of states) {
      state.lease?.release();
      state.lease = null;
    }
  }
}

/** A change of anything else leaves connections alone. */
function hasSameChannels(one: Backend, other: Backend): boolean {
  return (
    one.protocol === other.protocol &&
    one.limits.maxConnections === other.limits.maxConnections &&
    one.connectTimeoutMs === other.connectTimeoutMs
  );
}

function selectedBy(selector: Readonly<Record<string, string>>, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const wanted = Object.entries(selector);
  return wanted.length === 0 ? endpoints : endpoints.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
}

const CUSTOM = "custom:";

function balancerOf(policy: BalancerPolicy, { random, extensions, report }: BackendStateDependencies): Balancer {
  const name = policy.startsWith(CUSTOM) ? policy.slice(CUSTOM.length) : null;
  const factory = name === null ? undefined : extensions.balancer(name);
  if (name !== null && factory) return customBalancer(name, factory, { random, report });
  switch (policy) {
    case "peak-ewma":
      return new PeakEwma(random);
    case "least-request":
      return leastRequest(random);
    case "round-robin":
      return new RoundRobin(random);
    case "random":
      return randomBalancer(random);
    default:
      // Nothing comes into force that was not checked.
      throw new TypeError(`there is no balancer ${policy satisfies `custom:${string}`}`);
  }
}
