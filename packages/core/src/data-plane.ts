import { BackendState } from "./backend-state.ts";
import type { ClientTls } from "./client-tls.ts";
import type { Clock } from "./clock.ts";
import type { Channels } from "./endpoint/channels.ts";
import { MeshError } from "./errors.ts";
import type { Extensions } from "./extensions.ts";
import type { Handler } from "./layer.ts";
import type { Backend } from "./model/backend.ts";
import { backendsOfRoute } from "./model/backends-of-route.ts";
import type { Problem } from "./model/problem.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import type { VirtualHost } from "./model/virtual-host.ts";
import { nearest } from "./nearest.ts";
import { type CompiledVirtualHost, compileVirtualHost, type OutboundDependencies } from "./outbound.ts";
import type { Random } from "./random.ts";
import { type Claim, VirtualHosts } from "./routing/virtual-hosts.ts";
import type { Present } from "./telemetry/metrics.ts";

/** Authorities whose stack is remembered; beyond it the memory starts anew. */
const REMEMBERED = 10_000;

export interface DataPlaneDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly channels: Channels;
  readonly extensions: Extensions;
  clientTls(backend: Backend): ClientTls | null;
  readonly outbound: Omit<OutboundDependencies, "backendState" | "extensions">;
  report(problem: Problem): void;
}

/**
 * The snapshot in force, compiled. Stacks and backend states are made on first use, so that memory follows what is used; a change
 * drops only the stacks of what changed, and never a state.
 */
export class DataPlane {
  readonly #dependencies: DataPlaneDependencies;
  readonly #states = new Map<string, BackendState>();
  readonly #outbound: OutboundDependencies;
  #snapshot: MeshSnapshot;
  #hosts: VirtualHosts;
  #compiled = new Map<VirtualHost, CompiledVirtualHost>();
  #handlers = new Map<string, Handler | null>();

  constructor(snapshot: MeshSnapshot, dependencies: DataPlaneDependencies) {
    this.#dependencies = dependencies;
    this.#snapshot = snapshot;
    this.#hosts = new VirtualHosts(snapshot.virtualHosts);
    this.#outbound = { ...dependencies.outbound, extensions: dependencies.extensions, backendState: (name) => this.backendState(name) };
  }

  get states(): Iterable<BackendState> {
    return this.#states.values();
  }

  /** The stack for an authority; null if no virtual host claims it. */
  handler(authority: string): Handler | null {
    const known = this.#handlers.get(authority);
    if (known !== undefined) return known;
    const claim = this.#hosts.find(authority);
    const handler = claim === null ? null : this.compiled(claim.virtualHost).handler;
    if (this.#handlers.size >= REMEMBERED) this.#handlers.clear();
    this.#handlers.set(authority, handler);
    return handler;
  }

  claim(authority: string): Claim | null {
    return this.#hosts.find(authority);
  }

  /** The claimed host that was probably meant. */
  nearestHost(authority: string): string | null {
    return nearest(authority, this.#hosts.hosts);
  }

  compiled(virtualHost: VirtualHost): CompiledVirtualHost {
    let compiled = this.#compiled.get(virtualHost);
    if (!compiled) {
      compiled = compileVirtualHost(virtualHost, this.#outbound);
      this.#compiled.set(virtualHost, compiled);
    }
    return compiled;
  }

  backendState(name: string): BackendState {
    const known = this.#states.get(name);
    if (known) return known;
    const backend = this.#snapshot.backends.get(name);
    // The store lets no snapshot in that names a backend it lacks.
    if (!backend) throw new MeshError("invalid_config", `backend ${name} does not exist`);
    const state = new BackendState(backend, this.#snapshot.endpointSets.get(backend.endpointSet) ?? null, this.#dependencies);
    this.#states.set(name, state);
    return state;
  }

  /** Takes the next snapshot into force. Requests in flight keep the stack they began with. */
  update(snapshot: MeshSnapshot): void {
    const old = this.#snapshot.backends;
    this.#snapshot = snapshot;
    this.#hosts = new VirtualHosts(snapshot.virtualHosts);
    this.#handlers = new Map();
    for (const [name, state] of this.#states) this.#reconcile(name, state, snapshot);
    this.#dropChanged(snapshot, old);
    this.#dependencies.channels.sweep(knownIn(snapshot));
  }

  /** Closes channels that nothing uses any more. */
  sweep(): void {
    const now = this.#dependencies.clock.now();
    for (const state of this.#states.values()) state.releaseIdle(now);
    this.#dependencies.channels.sweep(knownIn(this.#snapshot));
  }

  #reconcile(name: string, state: BackendState, snapshot: MeshSnapshot): void {
    const backend = snapshot.backends.get(name);
    if (backend) {
      state.update(backend, snapshot.endpointSets.get(backend.endpointSet) ?? null);
      return;
    }
    state.retire();
    this.#states.delete(name);
  }

  #dropChanged(snapshot: MeshSnapshot, old: ReadonlyMap<string, Backend>): void {
    const kept = new Map<VirtualHost, CompiledVirtualHost>();
    for (const virtualHost of snapshot.virtualHosts) {
      const compiled = this.#compiled.get(virtualHost);
      if (compiled && usesOnly(virtualHost, (name) => snapshot.backends.get(name) === old.get(name))) kept.set(virtualHost, compiled);
    }
    this.#compiled = kept;
  }
}

function usesOnly(virtualHost: VirtualHost, isSame: (backend: string) => boolean): boolean {
  return virtualHost.routes.every((route) => backendsOfRoute(route).every(isSame));
}

/** Whether an address is an endpoint's. The set is made when first asked: mostly no channel is without a holder. */
function knownIn(snapshot: MeshSnapshot): (address: string) => boolean {
  let known: Set<string> | null = null;
  return (address) => {
    known ??= addressesOf(snapshot);
    return known.has(address);
  };
}

function addressesOf({ endpointSets }: MeshSnapshot): Set<string> {
  const addresses = new Set<string>();
  for (const { endpoints } of endpointSets.values()) for (const { address } of endpoints) addresses.add(address);
  return addresses;
}

/** What counters need not forget. Requests are counted under the name of the virtual host that claimed them. */
export function presentIn(snapshot: MeshSnapshot): Present {
  const hasEndpoint = knownIn(snapshot);
  let services: Set<string> | null = null;
  return {
    hasEndpoint,
    hasService(name) {
      services ??= new Set(snapshot.virtualHosts.map((virtualHost) => virtualHost.name));
      return services.has(name);
    },
  };
}
