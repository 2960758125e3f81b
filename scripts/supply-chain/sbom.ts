import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isOurs, type Lock, nameAt } from "./lock-file.ts";
import { broughtBy } from "./run-time.ts";

/** A CycloneDX document, as npm writes it. */
export interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

/** The bill of materials of one package as it is published: what installing it brings, in the versions of the lock. */
export function sbomOf(lock: Lock, folder: string): Sbom {
  const made = mkdtempSync(join(tmpdir(), "heddle-sbom-"));
  // npm takes the subject's name from the path.
  const project = join(made, nameAt(lock, folder));
  try {
    mkdirSync(project, { recursive: true });
    const alone = lockOf(lock, folder);
    writeFileSync(join(project, "package.json"), JSON.stringify(alone[""]));
    writeFileSync(join(project, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, requires: true, packages: alone }));
    const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=library"];
    const { stdout, stderr, error } = spawnSync("npm", args, { cwd: project, encoding: "utf8", timeout: 60_000 });
    if (error) throw error;
    return parsedSbom(stdout, stderr, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** What is wrong with a bill of materials: its form, or that it does not name exactly what installing the package brings. */
export function sbomProblems(sbom: Sbom, lock: Lock, folder: string): readonly string[] {
  const problems: string[] = [];
  if (sbom.bomFormat !== "CycloneDX") problems.push(`bomFormat is ${sbom.bomFormat}, not CycloneDX`);
  const subject = sbom.metadata.component;
  if (subject.name !== nameAt(lock, folder) || subject.version !== lock[folder]?.version)
    problems.push(`it is about ${subject.name}@${subject.version}, not about ${nameAt(lock, folder)}@${lock[folder]?.version}`);
  const named = new Set(sbom.components.map(({ purl }) => decodeURIComponent(purl)));
  const brought = new Set(broughtBy(lock, folder).map(({ name, version }) => `pkg:npm/${name}@${version}`));
  for (const purl of brought) if (!named.has(purl)) problems.push(`${purl} is brought, but not named`);
  for (const purl of named) if (!brought.has(purl)) problems.push(`${purl} is named, but not brought`);
  return problems.map((problem) => `bill of materials of ${folder}: ${problem}`);
}

/** The lock file of a project that is this package alone. Packages of ours stand in node_modules, as somebody gets them. */
function lockOf(lock: Lock, folder: string): Lock {
  const { name, version, license, dependencies, peerDependencies, peerDependenciesMeta } = lock[folder] ?? {};
  const root = { name, version, license, dependencies, peerDependencies, peerDependenciesMeta };
  const brought = broughtBy(lock, folder).map(({ location }) => [
    isOurs(location) ? `node_modules/${nameAt(lock, location)}` : location,
    lock[location],
  ]);
  return { "": root, ...Object.fromEntries(brought) } as Lock;
}

function parsedSbom(stdout: string, stderr: string, folder: string): Sbom {
  try {
    return JSON.parse(stdout) as Sbom;
  } catch (error) {
    throw new Error(`npm sbom of ${folder} printed no JSON: ${stdout}${stderr}`, { cause: error });
  }
}
