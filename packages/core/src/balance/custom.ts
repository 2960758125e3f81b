import type { Attempt } from "../context.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import type { BalancerFactory, CustomBalancer } from "../extension-options.ts";
import type { Problem } from "../model/problem.ts";
import type { Random } from "../random.ts";
import type { Balancer } from "./balancer.ts";
import { Candidates } from "./candidates.ts";
import { randomBalancer } from "./random.ts";

/** Weight of a sample in the latency that the balancer is shown. */
const SAMPLE_WEIGHT = 0.2;

export interface CustomBalancerDependencies {
  readonly random: Random;
  report(problem: Problem): void;
}

/**
 * A balancer of the application's own. Where it throws, or picks something that it was not offered, the endpoint is picked at random
 * among the candidates, and that is reported once: balancing is never worth failing a request for.
 */
export function customBalancer(name: string, factory: BalancerFactory, { random, report }: CustomBalancerDependencies): Balancer {
  const candidates = new Candidates();
  const instead = randomBalancer(random);
  let isReported = false;
  const complain = (what: string) => {
    if (isReported) return;
    isReported = true;
    report({ where: `balancer custom:${name}`, message: `${what}; endpoints are picked at random where it fails`, severity: "error" });
  };
  const attempted = <T>(what: string, run: () => T): T | null => {
    try {
      return run();
    } catch (error) {
      complain(`${what} threw: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const own: CustomBalancer | null = attempted("its factory", () => checked(factory(random)));
  return {
    policy: `custom:${name}`,
    pick(states, tries, now) {
      if (own === null) return instead.pick(states, tries, now);
      const offered = candidates.of(unprobed(states));
      const picked = attempted("pick", () => own.pick(offered, addressesOf(tries)));
      const state = candidates.stateOf(picked);
      if (state !== null) return state;
      if (!isReported) complain("pick gave something that is none of the candidates");
      return instead.pick(states, tries, now);
    },
    succeeded(state, elapsedMs, now) {
      observe(state, elapsedMs, now);
      if (own?.succeeded) attempted("succeeded", () => own.succeeded?.(candidates.one(state), elapsedMs));
    },
    failed(state) {
      if (own?.failed) attempted("failed", () => own.failed?.(candidates.one(state)));
    },
  };
}

function checked(balancer: unknown): CustomBalancer {
  if (typeof (balancer as Partial<CustomBalancer> | null)?.pick === "function") return balancer as CustomBalancer;
  throw new TypeError("what it gives has no pick(candidates, tried)");
}

/** An endpoint that one request is probing takes no other, unless there is none else. */
function unprobed(states: readonly EndpointState[]): readonly EndpointState[] {
  if (!states.some(({ isProbed }) => isProbed)) return states;
  const rest = states.filter(({ isProbed }) => !isProbed);
  return rest.length > 0 ? rest : states;
}

/** The last of the tries is the one that is being picked for. */
function addressesOf(tries: readonly Attempt[]): readonly string[] {
  return tries.flatMap(({ endpoint }) => (endpoint === "" ? [] : [endpoint]));
}

function observe(state: EndpointState, sampleMs: number, now: number): void {
  const held = state.estimateMs;
  state.estimateMs = Number.isNaN(held) ? sampleMs : held + (sampleMs - held) * SAMPLE_WEIGHT;
  state.estimateAt = now;
}
