import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly description?: string;
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A project of somebody who installed packages of ours. */
export interface Installation extends Disposable {
  readonly folder: string;
  write(name: string, text: string): void;
  /** Runs Node, or a script of a package of this repository, in the project. Returns its output; throws with both outputs. */
  node(...args: readonly string[]): string;
}

export function readPackage(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as PackageJson;
}

/** What installing it brings: optional peers are the user's choice. */
function neededBy({ dependencies, peerDependencies, peerDependenciesMeta }: PackageJson): readonly string[] {
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
  return [...Object.keys(dependencies ?? {}), ...peers];
}

/**
 * Packs and unpacks our packages as a registry would deliver them, with what they depend on linked from this repository, and with
 * the named packages of others. Nothing else can be found from there: what a package forgot to ship or to declare is missing.
 */
export function install(ours: readonly string[], others: readonly string[] = []): Installation {
  const folder = mkdtempSync(join(tmpdir(), "heddle-packaging-"));
  const modules = join(folder, "node_modules");
  const packed = new Set(ours.map((path) => readPackage(path).name));
  const linked = new Set(others);
  for (const path of ours) {
    const manifest = readPackage(path);
    unpack(path, folder, join(modules, manifest.name));
    for (const name of neededBy(manifest)) if (!packed.has(name)) linked.add(name);
  }
  for (const name of linked) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name), "dir");
  }
  writeFileSync(join(folder, "package.json"), "{}\n");
  return {
    folder,
    write: (name, text) => writeFileSync(join(folder, name), text),
    node: (...args) => run(process.execPath, args, folder),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function unpack(path: string, folder: string, target: string): void {
  const report = run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], join(root, path));
  const filename = /"filename":\s*"([^"]+)"/.exec(report)?.[1];
  if (filename === undefined) throw new Error(`npm pack in ${path} named no file: ${report}`);
  mkdirSync(target, { recursive: true });
  run("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", target], folder);
  rmSync(join(folder, filename));
}

function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", timeout: 60_000 });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
