import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The tests that say whether the packages keep their promise to run on the oldest Node of their `engines`, on exactly that Node.

const root = fileURLToPath(new URL("../..", import.meta.url));
const wanted = join(root, "test/node-22");
const cache = join(root, "node_modules/.cache/node-22");
const node = join(cache, "node_modules/node/bin/node");

/** Unit tests, the front doors and policies on real sockets, and what runs the packages as built and as installed. */
const TESTS = [
  "packages",
  "test/front-doors",
  "test/inbound",
  "test/identity",
  "test/policies",
  "test/sources",
  "test/telemetry",
  "test/cli",
  "test/packaging/installed.test.ts",
  "test/architecture/modules-loaded.test.ts",
];

const { dependencies } = JSON.parse(readFileSync(join(wanted, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const version = `v${dependencies.node}`;

function isSame(name: string): boolean {
  const installed = join(cache, name);
  return existsSync(installed) && readFileSync(installed).equals(readFileSync(join(wanted, name)));
}

function installedVersion(): string {
  return existsSync(node) ? spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim() : "none";
}

function installOnce(): void {
  if (isSame("package.json") && isSame("package-lock.json") && installedVersion() === version) return;
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) copyFileSync(join(wanted, name), join(cache, name));
  run("npm", ["ci", "--ignore-scripts=false", "--no-audit", "--no-fund", "--loglevel=error"], cache);
  const found = installedVersion();
  if (found !== version) throw new Error(`npm ci in ${cache} was to bring Node ${version}, but brought ${found}`);
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, signal, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (error) throw error;
  if (status === 0) return;
  console.error(`${command} ${args.join(" ")}: ${signal ?? `exit ${status}`}`);
  process.exit(status ?? 1);
}

installOnce();
const given = process.argv.slice(2);
if (given.length === 0) run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test/node-22"], root);
console.log(`tests on Node ${version}`);
run(node, ["node_modules/vitest/vitest.mjs", "run", ...(given.length > 0 ? given : TESTS)], root);
