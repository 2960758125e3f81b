import type { SuiteName } from "./suites.ts";

/** What a row must reach, and what it aims at. docs/performance.md says where the figures come from. */
export interface Limit {
  readonly suite: SuiteName;
  readonly variant: string;
  /** `micros`: the value itself; `ratio`: to the base of the same comparison; `total`: the same with sidecars and servers. */
  readonly judged: "micros" | "ratio" | "total";
  readonly goal: number;
  readonly limit: number;
  /** Of the median latency as a ratio to that of the base, where that is judged too. */
  readonly p50?: { readonly goal: number; readonly limit: number };
}

export const LIMITS: readonly Limit[] = [
  { suite: "stub", variant: "mesh", judged: "micros", goal: 1.5, limit: 3 },
  { suite: "request", variant: "mesh.request", judged: "ratio", goal: 0.9, limit: 1.05 },
  { suite: "dispatcher", variant: "undici.request, mesh.dispatcher", judged: "ratio", goal: 1.05, limit: 1.1 },
  { suite: "fetch", variant: "mesh.fetch", judged: "ratio", goal: 1, limit: 1.05 },
  { suite: "grpc", variant: "mesh.grpc", judged: "ratio", goal: 1.08, limit: 1.15 },
  { suite: "mtls", variant: "mesh.request, mesh.listen", judged: "total", goal: 0.35, limit: 0.45, p50: { goal: 0.25, limit: 0.4 } },
];

export function limitOf(suite: SuiteName, variant: string): Limit | undefined {
  return LIMITS.find((limit) => limit.suite === suite && limit.variant === variant);
}
