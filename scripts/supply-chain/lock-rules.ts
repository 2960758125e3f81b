import { isOurs, type Lock, nameAt } from "./lock-file.ts";
import { broughtBy, publishedFolders } from "./run-time.ts";

/** Looked at: protobufjs, which grpc-js brings, only warns of how a package names its version, and works where no script is run. */
const HARMLESS_SCRIPTS: ReadonlySet<string> = new Set(["protobufjs"]);

/** What must hold of every package of others in the lock, whatever a registry says of it. */
export function lockProblems(lock: Lock, allowedScripts: ReadonlySet<string>): readonly string[] {
  const problems: string[] = [];
  for (const [location, entry] of Object.entries(lock)) {
    if (location === "" || isOurs(location) || entry.link) continue;
    const name = nameAt(lock, location);
    if (entry.integrity === undefined) problems.push(`${name}@${entry.version} has no integrity, so that npm takes whatever is served`);
    if (entry.hasInstallScript && !allowedScripts.has(name))
      problems.push(`${name}@${entry.version} runs a script when it is installed, and allowScripts of package.json does not name it`);
  }
  const runTime = new Map(publishedFolders(lock).flatMap((folder) => broughtBy(lock, folder).map(({ location }) => [location, folder])));
  for (const [location, folder] of runTime) {
    const entry = lock[location];
    if (entry === undefined) continue;
    const packageName = nameAt(lock, location);
    const name = `${packageName}@${entry.version}`;
    if (entry.deprecated !== undefined) problems.push(`${name}, which ${folder} brings, is deprecated: ${entry.deprecated}`);
    if (entry.hasInstallScript && !HARMLESS_SCRIPTS.has(packageName))
      problems.push(`${name}, which ${folder} brings, runs a script when it is installed`);
  }
  return problems;
}
