import type { MeshSnapshot } from "../model/snapshot.ts";

type PartsByName = "backends" | "endpointSets" | "inboundPolicies" | "resources";

/** A snapshot among others. Of two that have a part of the same name, the one that ranks it higher wins. */
export interface RankedSnapshot {
  readonly snapshot: MeshSnapshot;
  /** How much this snapshot means this part; `IMPLIED` where it only follows from others by default. */
  rank(kind: PartsByName | "virtualHosts", name: string): number;
  /** Null: it has to say something about egress, but nobody decided it. */
  readonly egress: "allow" | "deny" | null;
}

/** Yields to whatever anybody gave. */
export const IMPLIED = -1;

/** Merges by name of virtual host, backend, endpoint set and inbound policy, each whole. */
export function mergeSnapshots(ranked: readonly RankedSnapshot[]): MeshSnapshot {
  const decided = ranked.findLast(({ egress }) => egress !== null)?.egress;
  return {
    virtualHosts: [
      ...winners(ranked, "virtualHosts", ({ virtualHosts }) => virtualHosts.map((host) => ({ name: host.name, part: host }))).values(),
    ],
    backends: byName(ranked, "backends", (snapshot) => snapshot.backends),
    endpointSets: byName(ranked, "endpointSets", (snapshot) => snapshot.endpointSets),
    resources: byName(ranked, "resources", (snapshot) => snapshot.resources),
    inboundPolicies: byName(ranked, "inboundPolicies", (snapshot) => snapshot.inboundPolicies),
    // Where one source knows every service, a process may only join as one of them.
    enumeratesServices: ranked.some(({ snapshot }) => snapshot.enumeratesServices),
    // Where nobody decided, nothing is opened that one of them would have closed.
    egress: decided ?? (ranked.some(({ snapshot }) => snapshot.egress === "deny") ? "deny" : "allow"),
  };
}

function byName<Held>(
  ranked: readonly RankedSnapshot[],
  kind: PartsByName,
  read: (snapshot: MeshSnapshot) => ReadonlyMap<string, Held>,
): ReadonlyMap<string, Held> {
  return winners(ranked, kind, (snapshot) => Array.from(read(snapshot), ([name, part]) => ({ name, part })));
}

function winners<Held>(
  ranked: readonly RankedSnapshot[],
  kind: PartsByName | "virtualHosts",
  read: (snapshot: MeshSnapshot) => readonly { readonly name: string; readonly part: Held }[],
): ReadonlyMap<string, Held> {
  const parts = new Map<string, Held>();
  const ranks = new Map<string, number>();
  for (const { snapshot, rank } of ranked) {
    for (const { name, part } of read(snapshot)) {
      const own = rank(kind, name);
      if (own < (ranks.get(name) ?? Number.NEGATIVE_INFINITY)) continue;
      parts.set(name, part);
      ranks.set(name, own);
    }
  }
  return parts;
}
