import { writeFileSync } from "node:fs";
import { killAll } from "./child.ts";
import { markdownReport, type Report, writeDocs } from "./docs.ts";
import { killEnvoys } from "./envoy.ts";
import { type EnvoyBinary, findEnvoy, thisMachine } from "./envoy-binary.ts";
import { type Measurement, measure } from "./measure.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { rowsOf } from "./rows.ts";
import { Servers } from "./servers.ts";
import { COMPARISONS, type Comparison } from "./suites.ts";
import { textTable } from "./table.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

// Whatever ends this process, an error of its own too, ends what it has started.
process.on("exit", () => {
  killAll();
  killEnvoys();
});

/** Progress goes to stderr, so that stdout is the table alone. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function chosen({ suites, quick }: BenchOptions): readonly Comparison[] {
  return COMPARISONS.filter(({ suite, isExtra }) => suites.includes(suite) && !(quick && isExtra));
}

/** The Envoy that the comparisons need; null where none does, or where there is none, which is said. */
async function envoyFor(comparisons: readonly Comparison[]): Promise<EnvoyBinary | null> {
  if (!comparisons.some(needsEnvoy)) return null;
  try {
    return await findEnvoy(thisMachine(say));
  } catch (error) {
    const { message, cause } = error as Error;
    say(`LEFT OUT whatever has sidecars: ${message}${cause instanceof Error ? `\n  because: ${cause.message.trim()}` : ""}`);
    return null;
  }
}

function needsEnvoy({ variants }: Comparison): boolean {
  return variants.some(({ hasSidecars }) => hasSidecars);
}

function withoutSidecars(comparison: Comparison): Comparison {
  return { ...comparison, variants: comparison.variants.filter(({ hasSidecars }) => !hasSidecars) };
}

async function measureAll(comparisons: readonly Comparison[], envoy: EnvoyBinary | null, seconds: number): Promise<readonly Measurement[]> {
  const shares = comparisons.reduce((sum, { share }) => sum + share, 0);
  const servers = comparisons.some(({ needsServers }) => needsServers) ? await Servers.start() : null;
  const around = { servers, envoy: envoy?.command ?? null, authority: null, protocol: "http" } as const;
  const measurements: Measurement[] = [];
  for (const comparison of comparisons) {
    const budgetMs = (seconds * 1_000 * comparison.share) / shares;
    say(
      `${comparison.suite}, ${comparison.concurrency} at a time: ${comparison.variants.length} variants, at most ${(budgetMs / 1_000).toFixed(0)} s`,
    );
    const measurement = await measure(comparison, around, budgetMs);
    say(`  ${measurement.rounds.length} rounds in ${(measurement.elapsedMs / 1_000).toFixed(1)} s`);
    measurements.push(measurement);
  }
  await servers?.close();
  return measurements;
}

/** Says every fact that did not hold; true if there was none. */
function allHold(measurements: readonly Measurement[]): boolean {
  let hold = true;
  for (const { comparison, checked } of measurements) {
    for (const [variant, { facts }] of checked) {
      for (const { name, holds, seen } of facts) {
        if (holds) continue;
        hold = false;
        say(`INVALID ${comparison.suite}, ${variant}: ${name}\n  seen: ${seen}`);
      }
    }
  }
  return hold;
}

function deliver(report: Report, options: BenchOptions): void {
  const { rows } = report;
  process.stdout.write(`${options.md ? markdownReport(report) : textTable(rows)}\n`);
  if (options.json !== null) writeFileSync(options.json, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
}

async function main(options: BenchOptions): Promise<void> {
  const asked = chosen(options);
  const envoy = await envoyFor(asked);
  const isComplete = envoy !== null || !asked.some(needsEnvoy);
  const measurements = await measureAll(isComplete ? asked : asked.map(withoutSidecars), envoy, options.seconds);
  const rows = measurements.flatMap(rowsOf);
  const report = { rows, envoyVersion: envoy?.version ?? null };
  deliver(report, options);
  if (options.quick) say("A quick run shows that the bench works; nothing has warmed up, and its verdicts say little.");
  if (!allHold(measurements)) {
    process.exitCode = 1;
    say("Some variants did not do what they were measured for: their figures mean nothing.");
    return;
  }
  if (!isComplete) {
    process.exitCode = 1;
    say("There was no Envoy to measure: the rows with sidecars are missing.");
    return;
  }
  if (options.writeDocs) writeDocs(report);
}

function optionsOrExit(): BenchOptions {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    say(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

try {
  await main(optionsOrExit());
} catch (error) {
  say(`the bench failed: ${(error as Error).stack ?? String(error)}`);
  process.exit(1);
}
