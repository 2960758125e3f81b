import type { Origin } from "./route.ts";

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface Endpoint {
  /** `host:port`, `[v6]:port` or `unix:/path`. A source may also say `dns:name:port`, or `dns:_service._proto.name` for SRV: it is resolved before use. */
  readonly address: string;
  /** 1 to 65535; relative to the others. */
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: Locality | null;
  /** 0 is used first. */
  readonly priority: number;
  /** What the control source knows. `draining`: no new work. */
  readonly health: "healthy" | "unhealthy" | "draining" | "unknown";
  /** Identity where addresses are reused (a pod's uid); empty where the source has none. */
  readonly uid: string;
}

/** The endpoints of one service. A part of its own: it changes a thousand times more often than routes. */
export interface EndpointSet {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly origin: Origin;
}
