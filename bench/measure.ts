import { performance } from "node:perf_hooks";
import { type Checked, Contestant, type MeasuredSlot, type Surroundings } from "./contestant.ts";
import { BenchAuthority } from "./credentials.ts";
import { limitOf } from "./limits.ts";
import { rotated } from "./rotated.ts";
import { type Protocol, Servers } from "./servers.ts";
import { bootstrap, halfWidth } from "./statistics.ts";
import type { Comparison } from "./suites.ts";

/** An interval narrower than this, to each side, ends the rounds. */
const NARROW = 0.04;
const FEWEST_ROUNDS = 3;
/** Before this many rounds an interval says little, however narrow. */
const ROUNDS_BEFORE_NARROW = 20;
const MOST_ROUNDS = 2_000;
/** The interval is looked at every so many rounds: looking costs time on the cores that are measured. */
const ROUNDS_BETWEEN_LOOKS = 5;

/** One slot of each variant, by name. */
export type Round = ReadonlyMap<string, MeasuredSlot>;

export interface Measurement {
  readonly comparison: Comparison;
  readonly rounds: readonly Round[];
  /** Of each variant, by name. */
  readonly checked: ReadonlyMap<string, Checked>;
  readonly elapsedMs: number;
}

/** Measures the variants of a comparison against each other for at most `budgetMs`, then checks that each did what it was to do. */
export async function measure(comparison: Comparison, around: Surroundings, budgetMs: number): Promise<Measurement> {
  const startedAt = performance.now();
  const contestants: Contestant[] = [];
  using authority = comparison.isMutual ? new BenchAuthority() : null;
  const grpcServers = comparison.isGrpc ? await Servers.start(null, "grpc") : null;
  const protocol: Protocol = comparison.isGrpc ? "grpc" : "http";
  const mine = { ...around, servers: comparison.needsServers ? (grpcServers ?? around.servers) : null, authority, protocol };
  try {
    for (const [index, variant] of comparison.variants.entries()) {
      const path = `/bench/${comparison.suite}-${comparison.concurrency}-${index}`;
      contestants.push(await Contestant.open(variant, path, mine));
    }
    await warmUp(contestants, comparison, budgetMs);
    const rounds = await runRounds(contestants, comparison, startedAt + budgetMs);
    const elapsedMs = performance.now() - startedAt;
    const checked = new Map<string, Checked>();
    for (const contestant of contestants) checked.set(contestant.name, await contestant.check());
    return { comparison, rounds, checked, elapsedMs };
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
    await grpcServers?.close();
  }
}

/** Compilers must have settled before the first round, at the latest after so long for each variant. */
const WARM_UP_MS = 2_000;
/** Three servers of its own have to settle too, of which each gets a third of the requests. */
const MUTUAL_WARM_UP_MS = 6_000;

/** A tenth of the time at most. */
async function warmUp(contestants: readonly Contestant[], { concurrency, isMutual }: Comparison, budgetMs: number): Promise<void> {
  const durationMs = Math.min(isMutual ? MUTUAL_WARM_UP_MS : WARM_UP_MS, budgetMs / 10);
  for (const contestant of contestants) await contestant.slot({ concurrency, durationMs });
}

async function runRounds(contestants: readonly Contestant[], comparison: Comparison, endsAt: number): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  while (rounds.length < MOST_ROUNDS) {
    rounds.push(await runRound(contestants, comparison, rounds.length));
    if (rounds.length < FEWEST_ROUNDS) continue;
    if (performance.now() >= endsAt) break;
    if (rounds.length >= ROUNDS_BEFORE_NARROW && rounds.length % ROUNDS_BETWEEN_LOOKS === 0 && areNarrow(comparison, rounds)) break;
  }
  return rounds;
}

async function runRound(contestants: readonly Contestant[], comparison: Comparison, number: number): Promise<Round> {
  const order = { concurrency: comparison.concurrency, durationMs: comparison.slotMs };
  const round = new Map<string, MeasuredSlot>();
  for (const contestant of rotated(contestants, number)) round.set(contestant.name, await contestant.slot(order));
  return round;
}

/** Every row with a limit, or where there is none, every row. */
function areNarrow(comparison: Comparison, rounds: readonly Round[]): boolean {
  const others = comparison.variants.filter(({ name }) => name !== comparison.base);
  const judged = others.filter(({ name }) => limitOf(comparison.suite, name));
  return (judged.length > 0 ? judged : others).every(({ name }) => {
    return halfWidth(bootstrap(figures(rounds, name, comparison.base, comparison.isMutual ? totalCpu : clientCpu))) <= NARROW;
  });
}

/** The CPU time that a slot cost: of the client alone, or with its sidecars, and with the servers where they are counted. */
export type CpuOf = (slot: MeasuredSlot) => number;

export const clientCpu: CpuOf = ({ cpuMicros }) => cpuMicros;
export const totalCpu: CpuOf = ({ cpuMicros, sidecarCpuMicros, serverCpuMicros }) => cpuMicros + sidecarCpuMicros + serverCpuMicros;

/** CPU per request of a variant in each round: in microseconds, or as a ratio to the base in the same round. */
export function figures(rounds: readonly Round[], variant: string, base: string | null, cpuOf: CpuOf = clientCpu): readonly number[] {
  return rounds.map((round) => microsOf(round, variant, cpuOf) / (base === null ? 1 : microsOf(round, base, cpuOf)));
}

function microsOf(round: Round, variant: string, cpuOf: CpuOf): number {
  const slot = round.get(variant);
  if (!slot || slot.requests === 0) throw new Error(`a round without a request of ${variant}`);
  return cpuOf(slot) / slot.requests;
}
