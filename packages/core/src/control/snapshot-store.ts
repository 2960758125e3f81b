import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { validateSnapshot } from "../model/validate.ts";
import type { VirtualHost } from "../model/virtual-host.ts";
import { isSameEndpointSet } from "./same-endpoint-set.ts";

const EMPTY: MeshSnapshot = {
  virtualHosts: [],
  backends: new Map(),
  endpointSets: new Map(),
  resources: new Map(),
  inboundPolicies: new Map(),
  enumeratesServices: true,
  egress: "allow",
};

/**
 * Holds the configuration in force. Takes a new one only if it is valid, and keeps the identity of every part that did not change,
 * so that only what changed is compiled again.
 */
export class SnapshotStore {
  current: MeshSnapshot = EMPTY;
  revision = 0;

  /** The problems that kept a snapshot out; empty: it is in force now. */
  accept(snapshot: MeshSnapshot): readonly Problem[] {
    const problems = validateSnapshot(snapshot);
    if (problems.length > 0) return problems;
    const old = this.current;
    this.current = {
      ...snapshot,
      virtualHosts: keepVirtualHosts(snapshot.virtualHosts, old.virtualHosts),
      backends: keepEqual(snapshot.backends, old.backends),
      endpointSets: keepEqual(snapshot.endpointSets, old.endpointSets, isSameEndpointSet),
      resources: keepEqual(snapshot.resources, old.resources),
      inboundPolicies: keepEqual(snapshot.inboundPolicies, old.inboundPolicies),
    };
    this.revision++;
    return [];
  }
}

function keepEqual<T extends Part>(
  next: ReadonlyMap<string, T>,
  old: ReadonlyMap<string, T>,
  isSame: (one: T, other: T) => boolean = isSamePart,
): ReadonlyMap<string, T> {
  const kept = new Map<string, T>();
  for (const [name, part] of next) {
    const before = old.get(name);
    kept.set(name, before !== undefined && isSame(before, part) ? before : part);
  }
  return kept;
}

interface Part {
  readonly origin: string;
}

/** Mostly a part is the very object that it was, or has moved: only what is left has to be compared by reflection. */
function isSamePart(one: Part, other: Part): boolean {
  return one === other || (one.origin === other.origin && isDeepStrictEqual(one, other));
}

function keepVirtualHosts(next: readonly VirtualHost[], old: readonly VirtualHost[]): readonly VirtualHost[] {
  const byName = new Map(old.map((virtualHost) => [virtualHost.name, virtualHost]));
  return next.map((virtualHost) => {
    const before = byName.get(virtualHost.name);
    return before !== undefined && isSamePart(before, virtualHost) ? before : virtualHost;
  });
}
