import type { Clock, Timer } from "../clock.ts";
import type { Endpoint, EndpointSet } from "../model/endpoint-set.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import type { Random } from "../random.ts";
import { dnsAddress } from "./dns-address.ts";
import type { Problems } from "./problems.ts";
import type { Resolve } from "./resolve.ts";
import { ResolvedName } from "./resolved-name.ts";

export interface NameResolutionDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolve: Resolve;
  readonly problems: Problems;
  /** A snapshot without names: a new one, or the last one with answers that have changed. */
  resolved(snapshot: MeshSnapshot): void;
}

/** So long a new configuration waits for the first answer of names that it is the first to have. */
const FIRST_ANSWER_MS = 2_000;
const MOST_WEIGHT = 65_535;

/** Replaces the endpoints of a snapshot that are DNS names by the addresses they resolve to, and follows those as they change. */
export class NameResolution {
  readonly #dependencies: NameResolutionDependencies;
  readonly #names = new Map<string, ResolvedName>();
  #followed: MeshSnapshot | undefined;
  /** Endpoint sets with names, as they were resolved last: one that did not change keeps its identity. */
  #sets = new Map<EndpointSet, EndpointSet>();
  /** Running while `#followed` waits for first answers. */
  #waiting: Timer | undefined;
  #isClosed = false;

  constructor(dependencies: NameResolutionDependencies) {
    this.#dependencies = dependencies;
  }

  /** Tells the snapshot resolved: at once if all names have been looked up before. */
  follow(snapshot: MeshSnapshot): void {
    const wanted = new Set<string>();
    for (const { endpoints } of snapshot.endpointSets.values())
      for (const { address } of endpoints) if (dnsAddress(address)) wanted.add(address);
    for (const [address, name] of this.#names) {
      if (wanted.has(address)) continue;
      name.close();
      this.#names.delete(address);
    }
    this.#followed = snapshot;
    this.#sets = new Map();
    this.#stopWaiting();
    for (const address of wanted) this.#add(address);
    if (this.#areSettled()) this.#tell();
    else this.#waiting = this.#dependencies.clock.setTimer(FIRST_ANSWER_MS, () => this.#giveUpWaiting(), "idle");
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWaiting();
    for (const name of this.#names.values()) name.close();
  }

  #add(address: string): void {
    const name = dnsAddress(address);
    if (!name || this.#names.has(address)) return;
    const { clock, random, resolve, problems } = this.#dependencies;
    let problem: Problem | undefined;
    const resolved = new ResolvedName(name, {
      clock,
      random,
      resolve,
      changed: () => this.#changed(),
      failed: (error) => {
        // Once for a failure that lasts, however its message varies.
        if (problem) return;
        const isKnown = resolved.endpoints.length > 0;
        const consequence = isKnown ? "what it resolved to last stays in use" : "it stands for no endpoint until it can be";
        problem = { where: address, message: `the name cannot be resolved: ${messageOf(error)}; ${consequence}`, severity: "error" };
        problems.report(problem);
      },
      recovered: () => {
        if (problem) problems.forget([problem]);
        problem = undefined;
      },
    });
    this.#names.set(address, resolved);
  }

  #areSettled(): boolean {
    for (const name of this.#names.values()) if (!name.isSettled) return false;
    return true;
  }

  #changed(): void {
    if (this.#isClosed || (this.#waiting && !this.#areSettled())) return;
    this.#stopWaiting();
    this.#tell();
  }

  #giveUpWaiting(): void {
    this.#waiting = undefined;
    this.#tell();
  }

  #stopWaiting(): void {
    if (this.#waiting) this.#dependencies.clock.clearTimer(this.#waiting);
    this.#waiting = undefined;
  }

  #tell(): void {
    const snapshot = this.#followed;
    if (!snapshot) return;
    if (this.#names.size === 0) {
      this.#dependencies.resolved(snapshot);
      return;
    }
    const endpointSets = new Map<string, EndpointSet>();
    for (const [name, set] of snapshot.endpointSets) endpointSets.set(name, this.#resolvedSet(set));
    this.#dependencies.resolved({ ...snapshot, endpointSets });
  }

  #resolvedSet(set: EndpointSet): EndpointSet {
    if (!set.endpoints.some(({ address }) => this.#names.has(address))) return set;
    const byAddress = new Map<string, Endpoint>();
    // An address counts once, as what leads to it first says.
    for (const endpoint of set.endpoints.flatMap((given) => this.#resolvedEndpoints(given)))
      if (!byAddress.has(endpoint.address)) byAddress.set(endpoint.address, endpoint);
    const endpoints = [...byAddress.values()];
    const before = this.#sets.get(set);
    const isSame =
      before?.endpoints.length === endpoints.length &&
      endpoints.every(
        ({ address, weight }, index) => address === before.endpoints[index]?.address && weight === before.endpoints[index]?.weight,
      );
    const resolved = isSame && before ? before : { ...set, endpoints };
    this.#sets.set(set, resolved);
    return resolved;
  }

  #resolvedEndpoints(endpoint: Endpoint): readonly Endpoint[] {
    const name = this.#names.get(endpoint.address);
    if (!name) return [endpoint];
    return name.endpoints.map(({ address, weight }) => ({ ...endpoint, address, weight: Math.min(MOST_WEIGHT, endpoint.weight * weight) }));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
