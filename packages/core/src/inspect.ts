import type { Problem } from "./control/source.ts";
import type { OutcomeCounts } from "./telemetry/metrics.ts";

/** What the mesh knows and does, as plain data. */
export interface Inspection {
  readonly service: string | null;
  readonly revision: number;
  readonly egress: "allow" | "deny";
  readonly sources: readonly { readonly name: string; readonly state: "waiting" | "ok" | "failing"; readonly updates: number }[];
  readonly virtualHosts: readonly {
    readonly name: string;
    readonly authorities: readonly string[];
    readonly routes: number;
    readonly from: string;
  }[];
  /** Backends that were used, or named by one that was. */
  readonly backends: readonly InspectedBackend[];
  readonly problems: readonly Problem[];
  readonly counters: readonly OutcomeCounts[];
  readonly inbound: { readonly inFlight: number };
}

export interface InspectedBackend {
  readonly name: string;
  readonly from: string;
  readonly balancer: string;
  readonly inFlight: number;
  readonly pending: number;
  readonly breaker: "none" | "closed" | "open" | "half-open";
  readonly retryBudget: { readonly available: number };
  readonly endpoints: readonly InspectedEndpoint[];
}

export interface InspectedEndpoint {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly state: "ready" | "ejected" | "half-open" | "draining";
  readonly inFlight: number;
  readonly connections: number;
  readonly latencyMs: number;
  readonly requests: number;
  readonly failures: number;
  readonly ejections: number;
}

/** Whether this process should receive traffic, and everything that speaks against it. */
export interface Health {
  readonly ok: boolean;
  readonly because: readonly string[];
}
