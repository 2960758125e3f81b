import { writeFileSync } from "node:fs";
import { killAll } from "./child.ts";
import { markdownReport, writeDocs } from "./docs.ts";
import { type Measurement, measure } from "./measure.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { type Row, rowsOf } from "./rows.ts";
import { Servers } from "./servers.ts";
import { COMPARISONS, type Comparison } from "./suites.ts";
import { textTable } from "./table.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(130);
  });
}

/** Progress goes to stderr, so that stdout is the table alone. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function chosen({ suites, quick }: BenchOptions): readonly Comparison[] {
  return COMPARISONS.filter(({ suite, isExtra }) => suites.includes(suite) && !(quick && isExtra));
}

async function measureAll(comparisons: readonly Comparison[], seconds: number): Promise<readonly Measurement[]> {
  const shares = comparisons.reduce((sum, { share }) => sum + share, 0);
  const servers = comparisons.some(({ needsServers }) => needsServers) ? await Servers.start() : null;
  const measurements: Measurement[] = [];
  for (const comparison of comparisons) {
    const budgetMs = (seconds * 1_000 * comparison.share) / shares;
    say(
      `${comparison.suite}, ${comparison.concurrency} at a time: ${comparison.variants.length} variants, at most ${(budgetMs / 1_000).toFixed(0)} s`,
    );
    const measurement = await measure(comparison, servers, budgetMs);
    say(`  ${measurement.rounds.length} rounds in ${(measurement.elapsedMs / 1_000).toFixed(1)} s`);
    measurements.push(measurement);
  }
  await servers?.close();
  return measurements;
}

/** Says every fact that did not hold; true if there was none. */
function allHold(measurements: readonly Measurement[]): boolean {
  let hold = true;
  for (const { comparison, facts } of measurements) {
    for (const [variant, ofVariant] of facts) {
      for (const { name, holds, seen } of ofVariant) {
        if (holds) continue;
        hold = false;
        say(`INVALID ${comparison.suite}, ${variant}: ${name}\n  seen: ${seen}`);
      }
    }
  }
  return hold;
}

function deliver(rows: readonly Row[], options: BenchOptions): void {
  process.stdout.write(`${options.md ? markdownReport(rows) : textTable(rows)}\n`);
  if (options.json !== null) writeFileSync(options.json, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
}

async function main(options: BenchOptions): Promise<void> {
  const measurements = await measureAll(chosen(options), options.seconds);
  const rows = measurements.flatMap(rowsOf);
  deliver(rows, options);
  if (options.quick) say("A quick run shows that the bench works; nothing has warmed up, and its verdicts say little.");
  if (!allHold(measurements)) {
    process.exitCode = 1;
    say("Some variants did not do what they were measured for: their figures mean nothing.");
    return;
  }
  if (options.writeDocs) writeDocs(rows);
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
  killAll();
  process.exit(1);
}
