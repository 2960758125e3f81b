import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../clock.ts";
import { nodeFiles } from "../file-access.ts";
import { fileSource } from "./file.ts";

// A real file system and real time: what the operating system tells of a change is what is tested here.

let directory = "";
const closers: (() => void)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-file-"));
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(directory, { recursive: true, force: true });
});

const document = (name: string) => `apiVersion: heddle/v1\nservices: { ${name}: {} }\n`;

function follow(path: string): readonly string[] {
  const said: string[] = [];
  closers.push(
    fileSource(path).watch(
      { update: (snapshot) => said.push([...snapshot.backends.keys()].join(",")), problem: ({ message }) => said.push(message) },
      systemClock,
    ),
  );
  return said;
}

/** Generous: the machine that runs the tests may be busy. The limit of 300 ms is kept in virtual time by file.test.ts. */
const lastIs = (said: readonly string[], expected: string | RegExp) =>
  vi.waitFor(() => expect(said.at(-1)).toMatch(typeof expected === "string" ? new RegExp(`^${expected}$`) : expected), {
    timeout: 5_000,
    interval: 10,
  });

test("follows a file that is written in place, replaced by renaming, deleted and created again", async () => {
  const path = join(directory, "mesh.yaml");
  writeFileSync(path, document("a"));
  const said = follow(path);
  await lastIs(said, "a");
  writeFileSync(path, document("b"));
  await lastIs(said, "b");
  writeFileSync(join(directory, ".mesh.yaml.tmp"), document("c"));
  renameSync(join(directory, ".mesh.yaml.tmp"), path);
  await lastIs(said, "c");
  unlinkSync(path);
  await lastIs(said, /does not exist/);
  writeFileSync(path, document("d"));
  await lastIs(said, "d");
});

test("follows the link swap of a Kubernetes volume", async () => {
  const version = (name: string) => {
    mkdirSync(join(directory, `..${name}`));
    writeFileSync(join(directory, `..${name}`, "mesh.yaml"), document(name));
    symlinkSync(`..${name}`, join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
  };
  version("v1");
  symlinkSync(join("..data", "mesh.yaml"), join(directory, "mesh.yaml"));
  const said = follow(join(directory, "mesh.yaml"));
  await lastIs(said, "v1");
  version("v2");
  rmSync(join(directory, "..v1"), { recursive: true });
  await lastIs(said, "v2");
  version("v3");
  await lastIs(said, "v3");
});

test("follows the target of a link, and a directory that appears only later", async () => {
  const path = join(directory, "etc", "mesh.yaml");
  const said = follow(path);
  await lastIs(said, /does not exist/);
  mkdirSync(join(directory, "etc"));
  writeFileSync(join(directory, "target.yaml"), document("a"));
  symlinkSync(join(directory, "target.yaml"), path);
  await lastIs(said, "a");
  writeFileSync(join(directory, "target.yaml"), document("b"));
  await lastIs(said, "b");
});

test("reads files only: a directory is unreadable, nothing is missing", () => {
  expect(nodeFiles.read(directory)).toEqual({ kind: "unreadable", why: "it is not a file" });
  expect(nodeFiles.read(join(directory, "none"))).toEqual({ kind: "missing" });
  writeFileSync(join(directory, "file"), "x");
  expect(nodeFiles.read(join(directory, "file"))).toEqual({ kind: "text", text: "x" });
  expect(nodeFiles.read(join(directory, "file", "below"))).toEqual({ kind: "missing" });
});

test("watches a directory that took the place of one that was removed, also under the same number", async () => {
  const path = join(directory, "conf", "mesh.yaml");
  const inodes = new Set<number>();
  let events = 0;
  mkdirSync(join(directory, "conf"));
  const watch = nodeFiles.watch(path, () => events++);
  try {
    // File systems that give a number again at once give it within a few rounds.
    for (let round = 0; round < 5; round++) {
      rmSync(join(directory, "conf"), { recursive: true });
      mkdirSync(join(directory, "conf"));
      inodes.add(statSync(join(directory, "conf")).ino);
      watch.refresh();
      await new Promise(setImmediate);
      const before = events;
      writeFileSync(path, document(`round${round}`));
      await vi.waitFor(() => expect(events, `events of a change, inodes ${[...inodes]}`).toBeGreaterThan(before), { timeout: 5_000 });
    }
  } finally {
    watch.close();
  }
});
