import type { MeshSnapshot } from "@heddle/core";
import type { Target } from "./finding.ts";

/** What an endpoint's address means. */
export type Address =
  | { readonly kind: "target"; readonly target: Target }
  | { readonly kind: "name"; readonly host: string; readonly port: number }
  | { readonly kind: "service"; readonly name: string };

/** `host:port`, `[v6]:port`, `unix:/path`, `dns:name:port` or `dns:_service._proto.name`. */
export function parseAddress(address: string): Address {
  if (address.startsWith("unix:")) return { kind: "target", target: { path: address.slice(5) } };
  if (!address.startsWith("dns:")) return { kind: "target", target: hostAndPort(address) };
  const name = address.slice(4);
  return name.startsWith("_") ? { kind: "service", name } : { kind: "name", ...hostAndPort(name) };
}

/** The addresses of every service, each once. */
export function addressesOf(snapshots: readonly MeshSnapshot[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { endpointSets } of snapshots) {
    for (const { name, endpoints } of endpointSets.values()) {
      const addresses = found.get(name) ?? new Set();
      for (const { address } of endpoints) addresses.add(address);
      found.set(name, addresses);
    }
  }
  return found;
}

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}
