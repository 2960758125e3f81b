/** One thing that is measured again and again in a process of its own. Each module in `probes/` exports one as `open`. */
export interface Probe {
  /** Measures for about this long, or once where what is measured cannot be repeated. Rejects if it did not happen as it should. */
  round(durationMs: number): Promise<Readings>;
  close(): Promise<void>;
}

/** What one round found, by name. */
export type Readings = Readonly<Record<string, number>>;

/** What a probe needs, as it came through the command line of its process. */
export interface ProbeSetup<Parameters> {
  readonly parameters: Parameters;
  /** `host:port` of each server; empty for probes that need none. */
  readonly addresses: readonly string[];
}

export type OpenProbe<Parameters> = (setup: ProbeSetup<Parameters>) => Promise<Probe>;

export type ProbeOrder = { readonly kind: "round"; readonly durationMs: number } | { readonly kind: "close" };

export type ProbeAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "readings"; readonly readings: Readings }
  | { readonly kind: "failed"; readonly error: string };
