import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkCycles } from "./architecture/cycles.ts";
import { checkErrorDocs } from "./architecture/error-docs.ts";
import { checkImportTable } from "./architecture/import-table.ts";
import { checkManifest, type Manifest } from "./architecture/manifests.ts";
import { checkNames } from "./architecture/names.ts";
import { checkSize } from "./architecture/size.ts";
import { readSource, type Violation } from "./architecture/source-file.ts";
import { readImportTables } from "./architecture/tables.ts";
import { checkTimeAndChance, type Exception } from "./architecture/time-and-chance.ts";

/** Who may use the global clock, timers and randomness. Everybody else is given them. */
const EXCEPTIONS: readonly Exception[] = [
  {
    path: "packages/core/src/clock.ts",
    uses: ["node:perf_hooks", "performance.now", "Date.now", "setTimeout"],
    because: "it is the clock",
  },
  { path: "packages/core/src/random.ts", uses: ["Math.random"], because: "it is the randomness" },
  {
    path: "packages/testing/src/virtual-clock.ts",
    uses: ["node:timers/promises", "setImmediate"],
    because: "it waits for real turns of the event loop, in which the promises under test settle",
  },
];

const root = fileURLToPath(new URL("..", import.meta.url));
const ours = globSync(["{packages,bench,examples,scripts,test}/**/*", "*.config.ts"], {
  cwd: root,
  exclude: (path) => /(?:^|\/)(?:node_modules|dist|gen|coverage)$/.test(path),
})
  .map((path) => path.replaceAll("\\", "/"))
  .sort();
const scripts = ours.filter((path) => /\.m?ts$/.test(path)).map((path) => readSource(root, path));
const packaged = scripts.filter((file) => /^packages\/[^/]+\/src\//.test(file.path));
const text = (path: string): string => readFileSync(join(root, path), "utf8");
const textIfAny = (path: string): string | undefined => (existsSync(join(root, path)) ? text(path) : undefined);

const violations: readonly Violation[] = [
  ...checkImportTable(packaged, readImportTables(text("ARCHITECTURE.md"))),
  ...checkCycles(scripts),
  ...checkTimeAndChance(packaged, EXCEPTIONS),
  ...checkSize(scripts),
  ...checkNames(ours),
  ...globSync("packages/*", { cwd: root }).flatMap((folder) =>
    checkManifest(folder, JSON.parse(text(`${folder}/package.json`)) as Manifest, packaged),
  ),
  ...checkErrorDocs(readSource(root, "packages/core/src/errors.ts"), textIfAny("docs/errors.md")),
];

for (const { where, message } of violations) console.error(`${where}: ${message}`);
console.log(`architecture: ${scripts.length} files, ${violations.length === 0 ? "no violation" : `${violations.length} violations`}`);
process.exitCode = violations.length === 0 ? 0 : 1;
