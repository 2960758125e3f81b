import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import type { MeshError } from "./errors.ts";
import type { Extensions } from "./extensions.ts";
import { compose, type Handler, type Layer } from "./layer.ts";
import { localResponse } from "./message.ts";
import type { Resource } from "./model/resource.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import { nearest } from "./nearest.ts";
import { checkKeys } from "./option-keys.ts";
import { attempts } from "./policy/attempts.ts";
import { breakerLayer, type CircuitBreaker } from "./policy/breaker.ts";
import { CallSlots, callLimit } from "./policy/call-limit.ts";
import { breakerOf, reconfigured } from "./policy/engines/breaker-of.ts";
import { concernsOf } from "./policy/engines/concerns.ts";
import { givenPolicy } from "./policy/engines/given-policy.ts";
import {
  countAsOk,
  functionCall,
  newCall,
  type ProtectedContext,
  type ProtectedFunction,
  type ProtectOptions,
  protectedCall,
  reportCall,
} from "./policy/protect.ts";
import { RetryBudget } from "./policy/retry-budget.ts";
import { deadline, tryTimeout } from "./policy/timeout.ts";
import type { Random } from "./random.ts";
import { Waits } from "./waits.ts";

export interface ResourceDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly metrics: Layer;
  readonly waits: Waits;
  readonly extensions: Extensions;
}

/** What the mesh knows about one resource: what must survive a configuration change, and the stack that a change replaces. */
export class ResourceState {
  resource: Resource;
  breaker: CircuitBreaker | null;
  readonly retryBudget: RetryBudget;
  readonly slots: CallSlots;
  handler: Handler;
  readonly #dependencies: ResourceDependencies;

  constructor(resource: Resource, dependencies: ResourceDependencies) {
    const { clock } = dependencies;
    this.resource = resource;
    this.#dependencies = dependencies;
    this.breaker = resource.breaker === null ? null : breakerOf(resource.breaker, clock);
    this.retryBudget = new RetryBudget(resource.retryBudget, clock.now());
    this.slots = new CallSlots(resource.name, resource.limits);
    this.handler = resourceHandler(this, dependencies);
  }

  update(resource: Resource): void {
    if (resource === this.resource) return;
    const { clock } = this.#dependencies;
    this.breaker = reconfigured(this.breaker, this.resource.breaker, resource.breaker, clock);
    this.resource = resource;
    this.retryBudget.configure(resource.retryBudget);
    this.slots.configure(resource.limits);
    this.handler = resourceHandler(this, this.#dependencies);
  }
}

/** The way of every call of a resource: the layers of requests, around a function. */
function resourceHandler(state: ResourceState, dependencies: ResourceDependencies): Handler {
  const { resource, breaker, slots } = state;
  const { clock, extensions } = dependencies;
  const given = resource.namedPolicy === null ? undefined : extensions.policy(resource.namedPolicy);
  const own = given === undefined ? null : concernsOf(given);
  const retry = own?.retry ? null : resource.retry;
  return compose(
    [
      // Outermost, so that whatever fails beneath leaves with what happened to it.
      reportCall,
      dependencies.metrics,
      // Beneath the counters, which read it.
      countAsOk,
      // Above everything that can wait, so that the total covers all of it.
      deadline(resource.timeoutMs, dependencies),
      // Above the attempts, so that a call counts once, however often it is tried.
      own?.limits ? null : callLimit(slots),
      given === undefined ? null : givenLayer(resource.namedPolicy ?? "", given, dependencies),
      attempts(own?.retry ? "given" : (retry ?? "off"), state.retryBudget, dependencies),
      // Each attempt from here on.
      breaker === null || own?.breaker ? null : breakerLayer(resource.name, breaker, clock),
      retry === null || retry.perTryTimeoutMs === null ? null : tryTimeout(retry.perTryTimeoutMs, dependencies),
    ],
    functionCall(resource.name, clock),
  );
}

function givenLayer(name: string, policy: NonNullable<ReturnType<Extensions["policy"]>>, { deadlines }: ResourceDependencies): Layer {
  return givenPolicy({
    name,
    policy,
    deadlines,
    // Who gives a policy that repeats to a function says that it may be repeated.
    mayRepeat: () => true,
    shown: ({ context }) => (context as ProtectedContext).result,
    answer({ context }, value) {
      (context as ProtectedContext).result = value;
      return localResponse(200, null);
    },
  });
}

const PROTECT_OPTIONS: readonly (keyof ProtectOptions)[] = ["timeout", "retry", "idempotent", "tags", "signal", "isFailure", "fallback"];

/** The resources of the configuration in force, and their calls. */
export class Resources {
  readonly #dependencies: ResourceDependencies;
  readonly #states = new Map<string, ResourceState>();
  readonly #calls = new Waits();
  #known: MeshSnapshot["resources"] = new Map();

  constructor(dependencies: ResourceDependencies) {
    this.#dependencies = dependencies;
  }

  get states(): Iterable<ResourceState> {
    return this.#states.values();
  }

  update({ resources }: MeshSnapshot): void {
    this.#known = resources;
    for (const [name, state] of this.#states) {
      const resource = resources.get(name);
      if (resource) {
        state.update(resource);
        continue;
      }
      state.breaker?.close();
      this.#states.delete(name);
    }
  }

  /** Rejects with TypeError for a resource that the configuration does not have, naming the nearest. */
  async call<T>(name: string, run: ProtectedFunction<T>, options: ProtectOptions<T> = {}): Promise<T> {
    if (typeof run !== "function") throw new TypeError(`protect(${JSON.stringify(name)}): found ${typeof run}, expected a function`);
    checkKeys(options, PROTECT_OPTIONS, "protect");
    const state = this.#state(name);
    const context = newCall(this.#dependencies.clock.now(), run, options as ProtectOptions);
    context.policyFrom = state.resource.origin;
    this.#calls.begin(context.cancel);
    try {
      return await protectedCall(context, state.handler, name, options);
    } finally {
      this.#calls.end(context.cancel);
    }
  }

  /** Resolves when no call is under way. */
  whenNone(): Promise<void> {
    return this.#calls.whenNone();
  }

  cancelAll(reason: MeshError): void {
    this.#calls.cancelAll(reason);
  }

  close(): void {
    for (const { breaker } of this.#states.values()) breaker?.close();
  }

  #state(name: string): ResourceState {
    const known = this.#states.get(name);
    if (known) return known;
    const resource = this.#known.get(name);
    if (!resource) throw unknownResource(name, [...this.#known.keys()]);
    const state = new ResourceState(resource, this.#dependencies);
    this.#states.set(name, state);
    return state;
  }
}

function unknownResource(name: string, known: readonly string[]): TypeError {
  const meant = nearest(name, known);
  const there = known.length === 0 ? "the configuration has none" : `there are ${known.join(", ")}`;
  return new TypeError(
    `protect: no resource is called ${JSON.stringify(name)}; ${meant === null ? there : `did you mean ${JSON.stringify(meant)}?`}`,
  );
}
