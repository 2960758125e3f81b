import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "./installation.ts";

const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly scripts: Readonly<Record<string, string>> })
  .scripts;

function withVersion(version: string, file = "scripts/require-node.mjs"): { readonly status: number | null; readonly stderr: string } {
  const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, join(root, file)];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

test.each(["20.20.2", "22.18.0"])("Node %s is refused with what is wrong and what to do", (version) => {
  const { status, stderr } = withVersion(version);
  expect(status).toBe(1);
  expect(stderr).toContain(`runs on Node ${version}, but needs 22.19 or newer`);
  expect(stderr).toContain("npm install --ignore-scripts=false");
});

test("importing heddle on an older Node says so, before undici fails in words that help nobody", () => {
  const { status, stderr } = withVersion("20.20.2", "packages/heddle/dist/index.js");
  expect(status).toBe(1);
  expect(stderr).toContain("heddle needs Node 22.19 or newer; this is 20.20.2");
});

test.each(["22.19.0", "24.0.0", "26.1.0"])("Node %s is taken", (version) => {
  expect(withVersion(version)).toMatchObject({ status: 0, stderr: "" });
});

test("every script that runs our code starts with the guard, by itself or through build", () => {
  const guarded = /^(?:node scripts\/require-node\.mjs && |npm run build|\.ci\/overnight$)/;
  const unguarded = Object.entries(scripts).filter(([, script]) => !guarded.test(script));
  expect(unguarded.map(([name]) => name)).toEqual(["format"]);
});

test("the overnight script builds before anything else", () => {
  const steps = readFileSync(join(root, ".ci/overnight"), "utf8").match(/^step .*$/gm);
  expect(steps?.[0]).toMatch(/^step build \S+ npm run --silent build$/);
});

/** An older Node of this machine, as somebody has it in whose checkout install scripts did not run. */
const olderNode = (process.env.PATH ?? "").split(delimiter).find((folder) => {
  if (folder.includes("node_modules") || !existsSync(join(folder, "node"))) return false;
  const version = spawnSync(join(folder, "node"), ["--version"], { encoding: "utf8" }).stdout;
  return /^v(?:\d|1\d|20|21)\./.test(version);
});

test.runIf(olderNode !== undefined)("npm test on an older Node prints the message of the guard and stops", () => {
  const checkout = mkdtempSync(join(tmpdir(), "heddle-guard-"));
  onTestFinished(() => rmSync(checkout, { recursive: true, force: true }));
  for (const path of ["package.json", "scripts"]) cpSync(join(root, path), join(checkout, path), { recursive: true });
  const PATH = [olderNode, ...(process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"))].join(
    delimiter,
  );
  const { status, stderr } = spawnSync("npm", ["test"], { cwd: checkout, encoding: "utf8", env: { ...process.env, PATH } });
  expect(status).toBe(1);
  expect(stderr).toContain("but needs 22.19 or newer");
  expect(stderr).not.toContain("SyntaxError");
});
