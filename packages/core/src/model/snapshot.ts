import type { Backend } from "./backend.ts";
import type { EndpointSet } from "./endpoint-set.ts";
import type { InboundPolicy } from "./inbound-policy.ts";
import type { Resource } from "./resource.ts";
import type { VirtualHost } from "./virtual-host.ts";

/** Everything a control source knows, at one moment. Never changed in place. */
export interface MeshSnapshot {
  readonly virtualHosts: readonly VirtualHost[];
  readonly backends: ReadonlyMap<string, Backend>;
  readonly endpointSets: ReadonlyMap<string, EndpointSet>;
  readonly resources: ReadonlyMap<string, Resource>;
  /** By service. Enumerates the services that a process may join as, unless `enumeratesServices` is false. */
  readonly inboundPolicies: ReadonlyMap<string, InboundPolicy>;
  /** False where the source only knows what it was asked for (xDS on demand). */
  readonly enumeratesServices: boolean;
  /** What happens to hosts that no virtual host claims. */
  readonly egress: "allow" | "deny";
}
