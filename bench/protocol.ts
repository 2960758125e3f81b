/** What the bench, its servers and its variants say to each other over the IPC channel that `fork` gives. Every message has one answer. */

export interface Setup {
  /** `host:port` of each server, or of the sidecar before them; empty in the stub suite, which has none. */
  readonly addresses: readonly string[];
  /** The path this variant asks for. Servers count by path. */
  readonly path: string;
  /** The folder of the authority that client and servers have their identity from; null: plaintext. */
  readonly authority: string | null;
}

export interface SlotOrder {
  readonly concurrency: number;
  readonly durationMs: number;
}

export interface SlotResult {
  readonly requests: number;
  /** User and system time of the variant's process, its garbage collector and compiler threads included. */
  readonly cpuMicros: number;
  readonly elapsedMs: number;
  /** null where calls are too short to be timed without changing what they cost. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** Something that must hold, or the row is worth nothing. */
export interface Fact {
  readonly name: string;
  readonly holds: boolean;
  /** What was seen. */
  readonly seen: string;
}

/** What one server counted for one path. */
export interface ServerCount {
  readonly requests: number;
  /** Requests with a traceparent whose sampled flag is not set. */
  readonly unsampled: number;
  /** How many connections they came over. */
  readonly connections: number;
  /** Requests of a caller whose identity was verified. */
  readonly verified: number;
}

/** What each server counted for the variant's path, by address. */
export type ServerCounts = Readonly<Record<string, ServerCount>>;

export type VariantOrder =
  | { readonly kind: "slot"; readonly slot: SlotOrder }
  | { readonly kind: "verify"; readonly counts: ServerCounts }
  | { readonly kind: "close" };

export type VariantAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "slot"; readonly result: SlotResult }
  | { readonly kind: "facts"; readonly requests: number; readonly facts: readonly Fact[] }
  | { readonly kind: "failed"; readonly error: string };

export type ServerOrder = { readonly kind: "counts" };

export type ServerAnswer =
  | { readonly kind: "listening"; readonly address: string }
  | { readonly kind: "counts"; readonly byPath: Readonly<Record<string, ServerCount>> }
  | { readonly kind: "failed"; readonly error: string };
