export const SUITE_NAMES = ["stub", "request", "dispatcher", "fetch", "sidecar", "mtls", "grpc"] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

export type MutualServer = "mesh" | "node";

export interface ComparedVariant {
  readonly name: string;
  /** The file in `variants/`, without its ending. */
  readonly module: string;
  /** Its requests pass through a pair of Envoys. */
  readonly hasSidecars?: boolean;
  /** It has servers of its own, which demand mutual TLS: of the mesh, which authorizes too, or what Node or grpc-js have. */
  readonly servedBy?: MutualServer;
  /** It asks the first server alone. */
  readonly asksOne?: boolean;
}

/** Variants that are measured against each other, in interleaved rounds. */
export interface Comparison {
  readonly suite: SuiteName;
  readonly concurrency: number;
  /** The variant that ratios are taken to; null where rows are judged in microseconds. */
  readonly base: string | null;
  readonly variants: readonly ComparedVariant[];
  /** Of the whole run's time, relative to the others. */
  readonly share: number;
  readonly slotMs: number;
  readonly needsServers: boolean;
  /** Who calls proves it by mutual TLS, between the meshes or between the sidecars. The CPU time of the servers counts too. */
  readonly isMutual?: boolean;
  /** Its servers are of grpc-js. */
  readonly isGrpc?: boolean;
  /** Left out with `--quick`. */
  readonly isExtra: boolean;
}

const POOL = { name: "undici Pool.request", module: "pool-request" };
const MESH_REQUEST = { name: "mesh.request", module: "mesh-request" };
const ENVOYS = { name: "undici Pool.request, two Envoys, plaintext", module: "pool-through-sidecar", hasSidecars: true };
const MESH_MUTUAL = { name: "mesh.request, mesh.listen", module: "mesh-request-mutual", servedBy: "mesh" } as const;
const MESH_MUTUAL_UNTRACED = {
  name: "mesh.request, mesh.listen, no tracing SDK",
  module: "mesh-request-mutual-untraced",
  servedBy: "mesh",
} as const;
/** What TLS alone costs in Node: any certificate of the authority will do, and there is no policy. */
const POOL_MUTUAL = { name: "undici Pool.request, node:https", module: "pool-request-mutual", servedBy: "node" } as const;
const ENVOYS_MUTUAL = { name: "undici Pool.request, two Envoys", module: "pool-through-sidecar", hasSidecars: true };
const GRPC_SPREAD = { name: "grpc-js, three channels in turn", module: "grpc-spread" };
const GRPC_SPREAD_MUTUAL = { name: "grpc-js, three channels in turn, mutual TLS", module: "grpc-spread", servedBy: "node" } as const;
const AGENT = { name: "undici.request, Agent", module: "agent-request" };
const AGENT_FETCH = { name: "undici fetch, Agent", module: "agent-fetch" };

export const COMPARISONS: readonly Comparison[] = [
  {
    suite: "stub",
    concurrency: 32,
    base: null,
    variants: [
      { name: "bare async call", module: "stub-bare" },
      { name: "mesh", module: "stub-mesh" },
      { name: "mesh, no tracing SDK", module: "stub-mesh-untraced" },
      { name: "OpenTelemetry span and header alone", module: "stub-opentelemetry" },
      { name: "cockatiel retry, breaker, timeout", module: "stub-cockatiel" },
    ],
    share: 10,
    slotMs: 100,
    needsServers: false,
    isExtra: false,
  },
  {
    suite: "request",
    concurrency: 32,
    base: POOL.name,
    variants: [
      POOL,
      { name: "undici Pool.dispatch, collected", module: "pool-dispatch" },
      MESH_REQUEST,
      { name: "mesh.request, no tracing SDK", module: "mesh-request-untraced" },
    ],
    share: 25,
    slotMs: 200,
    needsServers: true,
    isExtra: false,
  },
  {
    suite: "request",
    concurrency: 1,
    base: oneAtATime(POOL).name,
    variants: [POOL, MESH_REQUEST].map(oneAtATime),
    share: 15,
    slotMs: 200,
    needsServers: true,
    isExtra: true,
  },
  {
    suite: "dispatcher",
    concurrency: 32,
    base: AGENT.name,
    variants: [
      AGENT,
      { name: "undici.request, mesh.dispatcher", module: "mesh-dispatcher" },
      { name: "undici.request, Platformatic's thread interceptor", module: "platformatic" },
      { name: "cockatiel, opossum, OpenTelemetry: tuned", module: "hand-wired-tuned" },
      { name: "cockatiel, opossum, OpenTelemetry: as usually written", module: "hand-wired-usual" },
    ],
    share: 35,
    slotMs: 200,
    needsServers: true,
    isExtra: false,
  },
  {
    suite: "fetch",
    concurrency: 32,
    base: AGENT_FETCH.name,
    variants: [AGENT_FETCH, { name: "mesh.fetch", module: "mesh-fetch" }],
    share: 20,
    slotMs: 200,
    needsServers: true,
    isExtra: false,
  },
  {
    suite: "sidecar",
    concurrency: 32,
    base: POOL.name,
    variants: [POOL, MESH_REQUEST, ENVOYS],
    share: 20,
    slotMs: 200,
    needsServers: true,
    isExtra: false,
  },
  {
    suite: "sidecar",
    concurrency: 1,
    base: oneAtATime(POOL).name,
    variants: [POOL, MESH_REQUEST, ENVOYS].map(oneAtATime),
    share: 15,
    slotMs: 200,
    needsServers: true,
    isExtra: true,
  },
  {
    suite: "mtls",
    concurrency: 32,
    base: ENVOYS_MUTUAL.name,
    variants: [ENVOYS_MUTUAL, POOL_MUTUAL, MESH_MUTUAL, MESH_MUTUAL_UNTRACED],
    share: 40,
    slotMs: 400,
    needsServers: true,
    isMutual: true,
    isExtra: false,
  },
  {
    suite: "grpc",
    concurrency: 32,
    base: GRPC_SPREAD.name,
    variants: [
      GRPC_SPREAD,
      { name: "grpc-js, one channel", module: "grpc-one-channel", asksOne: true },
      { name: "grpc-js, round_robin with retry and outlier detection", module: "grpc-round-robin" },
      { name: "round_robin and OpenTelemetry by hand: tuned", module: "grpc-hand-wired-tuned" },
      { name: "round_robin and OpenTelemetry by hand: as usually written", module: "grpc-hand-wired-usual" },
      { name: "grpc-js-xds", module: "grpc-xds" },
      { name: "mesh.grpc", module: "grpc-mesh" },
      { name: "mesh.grpc, no tracing SDK", module: "grpc-mesh-untraced" },
    ],
    share: 40,
    slotMs: 200,
    needsServers: true,
    isGrpc: true,
    isExtra: false,
  },
  {
    suite: "grpc",
    concurrency: 32,
    base: GRPC_SPREAD_MUTUAL.name,
    variants: [
      GRPC_SPREAD_MUTUAL,
      { name: "grpc-js-xds, mutual TLS", module: "grpc-xds", servedBy: "node" },
      { name: "grpc-js, two Envoys, mutual TLS", module: "grpc-through-sidecar", hasSidecars: true },
      { name: "mesh.grpc, mesh.listen, mutual TLS", module: "grpc-mesh", servedBy: "mesh" },
      { name: "mesh.grpc, mesh.listen, mutual TLS, no tracing SDK", module: "grpc-mesh-untraced", servedBy: "mesh" },
    ],
    share: 40,
    slotMs: 400,
    needsServers: true,
    isMutual: true,
    isGrpc: true,
    isExtra: false,
  },
];

/** Rows are told apart by suite and name: the same variant again needs another. */
function oneAtATime(variant: ComparedVariant): ComparedVariant {
  return { ...variant, name: `${variant.name}, one at a time` };
}
