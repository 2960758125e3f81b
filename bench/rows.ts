import type { MeasuredSlot } from "./contestant.ts";
import { limitOf } from "./limits.ts";
import { figures, type Measurement, type Round, totalCpu } from "./measure.ts";
import { bootstrap, judge, median, type Verdict } from "./statistics.ts";

/** What is known of one variant after a run; the shape of `--json`. */
export interface Row {
  readonly suite: string;
  readonly variant: string;
  /** null: judged in `unit`, not as a ratio. */
  readonly base: string | null;
  /** Median over the rounds. */
  readonly value: number;
  readonly unit: "us CPU per request";
  /** Median over the rounds of the ratio to the base in the same round; null without a base. */
  readonly ratio: number | null;
  /** The 95 % bootstrap interval of `ratio`, or of `value` where there is no ratio. */
  readonly low: number;
  readonly high: number;
  /** `value`, with the CPU time of the sidecars that the requests passed, and of the servers in the mtls suite. The same as `value` where there are none. */
  readonly totalValue: number;
  /** As `ratio`, of client and sidecars to the base's client. */
  readonly totalRatio: number | null;
  readonly totalLow: number;
  readonly totalHigh: number;
  /** `base`: others are compared to it. `compared`: it has no limit. `invalid`: it did not do what it was measured for. */
  readonly verdict: Verdict | "base" | "compared" | "invalid";
  readonly goal: number | null;
  readonly limit: number | null;
  readonly concurrency: number;
  /** That the servers have had, from the client or from the sidecar before them, over all rounds; null in the stub suite. */
  readonly connections: number | null;
  readonly rounds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Median over the rounds of p50 to that of the base in the same round; null without a base, and where latency is not measured. */
  readonly p50Ratio: number | null;
  /** null where it is not judged. */
  readonly p50Verdict: Verdict | null;
}

export function rowsOf(measurement: Measurement): readonly Row[] {
  return measurement.comparison.variants.map(({ name }) => rowOf(measurement, name));
}

function rowOf({ comparison, rounds, checked }: Measurement, variant: string): Row {
  const { suite, base, concurrency } = comparison;
  const limit = limitOf(suite, variant);
  const interval = bootstrap(figures(rounds, variant, base));
  const total = bootstrap(figures(rounds, variant, base, totalCpu));
  const isValid = (checked.get(variant)?.facts ?? []).every(({ holds }) => holds);
  const verdict = variant === base ? "base" : limit ? judge(limit.judged === "total" ? total : interval, limit.limit) : "compared";
  const p50 = latencyRatios(rounds, variant, base);
  const p50Interval = p50 === null ? null : bootstrap(p50);
  return {
    suite,
    variant,
    base,
    value: rounded(median(figures(rounds, variant, null))),
    unit: "us CPU per request",
    ratio: base === null ? null : rounded(interval.median),
    low: rounded(interval.low),
    high: rounded(interval.high),
    totalValue: rounded(median(figures(rounds, variant, null, totalCpu))),
    totalRatio: base === null ? null : rounded(total.median),
    totalLow: rounded(total.low),
    totalHigh: rounded(total.high),
    verdict: isValid ? verdict : "invalid",
    goal: limit?.goal ?? null,
    limit: limit?.limit ?? null,
    concurrency,
    connections: checked.get(variant)?.connections ?? null,
    rounds: rounds.length,
    requestsPerSecond: Math.round(medianOf(rounds, variant, ({ requests, elapsedMs }) => (requests / elapsedMs) * 1_000) ?? 0),
    p50Ms: medianOf(rounds, variant, ({ p50Ms }) => p50Ms),
    p99Ms: medianOf(rounds, variant, ({ p99Ms }) => p99Ms),
    p50Ratio: p50Interval === null ? null : rounded(p50Interval.median),
    p50Verdict: p50Interval !== null && limit?.p50 ? judge(p50Interval, limit.p50.limit) : null,
  };
}

function latencyRatios(rounds: readonly Round[], variant: string, base: string | null): readonly number[] | null {
  if (base === null) return null;
  const ratios = rounds.map((round) => (round.get(variant)?.p50Ms ?? Number.NaN) / (round.get(base)?.p50Ms ?? Number.NaN));
  return ratios.every(Number.isFinite) ? ratios : null;
}

function medianOf(rounds: readonly Round[], variant: string, of: (slot: MeasuredSlot) => number | null): number | null {
  const values = rounds.map((round) => {
    const slot = round.get(variant);
    return slot ? of(slot) : null;
  });
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? rounded(median(known)) : null;
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
