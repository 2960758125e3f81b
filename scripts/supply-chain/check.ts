import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Audit, audit, type Level } from "./audit.ts";
import { licenceIn, licenceRows } from "./licences.ts";
import { readLock } from "./lock-file.ts";
import { lockProblems } from "./lock-rules.ts";
import { publishedFolders } from "./run-time.ts";
import { sbomOf, sbomProblems } from "./sbom.ts";

// `npm run supply-chain`. Exit code 1: something is wrong, or could not be asked. 77: all that could be checked here held, but the
// registry that npm is configured for has no audit endpoint; with HEDDLE_AUDIT=required that is a failure too.

const NOT_CHECKED = 77;
const root = fileURLToPath(new URL("../..", import.meta.url));
const lock = readLock(root);
const json = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));

const problems: string[] = [];
let isUnchecked = false;

const rows = licenceRows(lock, (location) => licenceIn(json(`${location}/package.json`) as Parameters<typeof licenceIn>[0]));
for (const row of rows.filter(({ use }) => use === "run time")) console.log(`licence: ${row.package.padEnd(36)} ${row.licence}`);
console.log(`licence: ${rows.filter(({ use }) => use === "development").length} more packages for development`);
for (const row of rows)
  if (!row.isAllowed)
    problems.push(`licence: ${row.package} (${row.use}) is under "${row.licence}", which scripts/supply-chain/licences.ts does not allow`);

const { allowScripts = {} } = json("package.json") as { readonly allowScripts?: Readonly<Record<string, boolean>> };
const mayRun = new Set(Object.keys(allowScripts).filter((name) => allowScripts[name]));
problems.push(...lockProblems(lock, mayRun).map((problem) => `lock file: ${problem}`));

for (const folder of publishedFolders(lock)) {
  const sbom = sbomOf(lock, folder);
  problems.push(...sbomProblems(sbom, lock, folder));
  console.log(`bill of materials: ${folder} brings ${sbom.components.length} packages`);
}

function judge(which: "run time" | "all", level: Level, result: Audit): void {
  const asked = `audit of ${which === "all" ? "all dependencies" : "run-time dependencies"}, ${level} and above`;
  if (result.kind === "clean") console.log(`${asked}: nothing known`);
  else if (result.kind === "found") problems.push(...result.advisories.map((advisory) => `${asked}: ${advisory}`));
  else if (result.kind === "failed") problems.push(`${asked}: could not be asked, which is a failure: ${result.why}`);
  else {
    isUnchecked = true;
    console.error(`${asked}: NOT CHECKED, the registry offers no audit: ${result.why}`);
  }
}

judge("run time", "low", audit(root, "low", "run time"));
judge("all", "high", audit(root, "high", "all"));

for (const problem of problems) console.error(problem);
if (isUnchecked && process.env.HEDDLE_AUDIT === "required") console.error("HEDDLE_AUDIT=required: what could not be checked is a failure");
const isWrong = problems.length > 0 || (isUnchecked && process.env.HEDDLE_AUDIT === "required");
process.exitCode = isWrong ? 1 : isUnchecked ? NOT_CHECKED : 0;
console.log(`supply chain: ${isWrong ? "FAILED" : isUnchecked ? "held, but for the audit, which could not be made here" : "held"}`);
