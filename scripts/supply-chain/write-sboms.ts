import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nameAt, readLock } from "./lock-file.ts";
import { publishedFolders } from "./run-time.ts";
import { sbomOf, sbomProblems } from "./sbom.ts";

// `npm run sbom`: sbom/<package>.cdx.json for every published package.

const root = fileURLToPath(new URL("../..", import.meta.url));
const lock = readLock(root);
mkdirSync(join(root, "sbom"), { recursive: true });
for (const folder of publishedFolders(lock)) {
  const sbom = sbomOf(lock, folder);
  const file = `sbom/${nameAt(lock, folder).replace("@", "").replace("/", "-")}.cdx.json`;
  writeFileSync(join(root, file), `${JSON.stringify(sbom, null, 2)}\n`);
  const problems = sbomProblems(sbom, lock, folder);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`${file}: ${sbom.components.length} components`);
}
