import { writeFileSync } from "node:fs";
import { killAll } from "../child.ts";
import { Servers } from "../servers.ts";
import { writeDocs } from "./docs.ts";
import { groupsOf, measureGroup, quickPlan } from "./measure.ts";
import { parseOptions, type ScaleOptions, USAGE } from "./options.ts";
import { rowsOf, type ScaleRow } from "./rows.ts";
import { EXPERIMENTS } from "./suites/index.ts";
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

async function measureAll({ suites, quick }: ScaleOptions): Promise<readonly ScaleRow[]> {
  const chosen = EXPERIMENTS.filter(({ suite, isExtra }) => suites.includes(suite) && !(quick && isExtra));
  const servers = chosen.some(({ needsServers }) => needsServers) ? await Servers.start() : null;
  const rows: ScaleRow[] = [];
  for (const group of groupsOf(chosen)) {
    const [first] = group;
    if (!first) continue;
    const startedAt = performance.now();
    const measured = await measureGroup(group, servers?.addresses ?? [], quick ? quickPlan(first.plan) : first.plan);
    rows.push(...measured.flatMap(rowsOf));
    say(`${first.suite}, ${first.group}: ${group.length} probes in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  }
  await servers?.close();
  return rows;
}

async function main(options: ScaleOptions): Promise<void> {
  const rows = await measureAll(options);
  process.stdout.write(`${textTable(rows)}\n`);
  if (options.quick) say("A quick run shows that the bench works; nothing has warmed up, and its verdicts say little.");
  if (options.json !== null) writeFileSync(options.json, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
  if (options.writeDocs) writeDocs(rows);
}

function optionsOrExit(): ScaleOptions {
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
