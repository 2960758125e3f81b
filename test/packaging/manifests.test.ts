import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPackage, root } from "./installation.ts";

const folders = globSync("packages/*", { cwd: root }).sort();

test.each(folders)("%s says what a user of it needs to know", (folder) => {
  const manifest = readPackage(folder);
  expect(manifest.license).toBe("Apache-2.0");
  expect(manifest.description).toMatch(/\.$/);
  expect(manifest.type).toBe("module");
  expect(manifest.engines).toEqual({ node: ">=22.19" });
  expect(manifest.files).toContain("dist");
  expect(manifest.exports).toHaveProperty(["."]);
  expect(manifest.exports).toHaveProperty(["./package.json"]);
});

test.each(folders)("%s ships every file that it promises", (folder) => {
  const { exports = {}, bin = {}, files = [] } = readPackage(folder);
  const promised = [
    ...Object.values(exports).flatMap((value) => (typeof value === "string" ? value : Object.values(value))),
    ...Object.values(bin),
  ];
  for (const path of promised) {
    expect.soft(existsSync(join(root, folder, path)), `${folder}/${path} exists`).toBe(true);
    if (path !== "./package.json") expect.soft(files, `files of ${folder}`).toContain(path.split("/")[1]);
  }
});

test.each(folders)("%s carries the licence, as the licence asks for", (folder) => {
  expect(readFileSync(join(root, folder, "LICENSE"), "utf8")).toBe(readFileSync(join(root, "LICENSE"), "utf8"));
});

test.each(folders)("%s says on its page in a registry what it is, by its name", (folder) => {
  const readme = readFileSync(join(root, folder, "README.md"), "utf8");
  expect(readme).toMatch(new RegExp(`^# ${readPackage(folder).name}\\n`));
  // A registry has no folder beside the page that a path could lead to.
  expect(readme.match(/\]\(/g)).toBeNull();
});

const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];

test.each(folders)("%s runs nothing when it is installed", (folder) => {
  expect(Object.keys(readPackage(folder).scripts ?? {}).filter((name) => INSTALL_SCRIPTS.includes(name))).toEqual([]);
  // npm runs node-gyp by itself where it finds this file.
  expect(existsSync(join(root, folder, "binding.gyp"))).toBe(false);
});

test("packages of ours have one version and depend on each other in exactly that version", () => {
  const manifests = folders.map(readPackage);
  const [version] = [...new Set(manifests.map((manifest) => manifest.version))];
  expect(new Set(manifests.map((manifest) => manifest.version)).size).toBe(1);
  const names = new Set(manifests.map((manifest) => manifest.name));
  for (const manifest of manifests) {
    for (const [name, range] of Object.entries(manifest.dependencies ?? {}))
      if (names.has(name)) expect(range, `${manifest.name} on ${name}`).toBe(version);
  }
});

test("the lock file names no registry host, so that npm ci works behind a mirror", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly resolved?: string }>>;
  };
  const hosted = Object.entries(lock.packages).filter(([, entry]) => /^[a-z+]+:/.test(entry.resolved ?? ""));
  expect(hosted).toEqual([]);
});
