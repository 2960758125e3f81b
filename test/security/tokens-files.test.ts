import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jwtRuleOf, type SigningKey, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { type TokenGate, tokenGate } from "./token-gate.ts";

const REFUSED = "401 unauthenticated";
const old = signingKey("P-256", "old");
const next = signingKey("P-256", "next");
let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-jwks-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const textOf = (key: SigningKey): string => JSON.stringify({ keys: [key.jwk] });

function gateOf(path: string): TokenGate {
  return tokenGate([jwtRuleOf([], { jwks: { kind: "file", path } })]);
}

test("a file that is written anew has its new keys in force a second later, and its old ones no more", async () => {
  const path = join(directory, "written.json");
  writeFileSync(path, textOf(old));
  const gate = gateOf(path);
  const before = tokenOf(old);
  expect(await gate.try(before)).toBe("jane");
  writeFileSync(path, textOf(next));
  gate.clock.tick(1_000);
  expect(await gate.try(tokenOf(next))).toBe("jane");
  expect(await gate.try(before)).toBe(REFUSED);
});

test("a file that a link leads to is followed when the link is replaced, as Kubernetes mounts do", async () => {
  for (const [name, key] of [
    ["..first", old],
    ["..second", next],
  ] as const) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, "keys.json"), textOf(key));
  }
  symlinkSync("..first", join(directory, "..data"));
  symlinkSync("..data/keys.json", join(directory, "keys.json"));
  const gate = gateOf(join(directory, "keys.json"));
  expect(await gate.try(tokenOf(old))).toBe("jane");
  symlinkSync("..second", join(directory, "..data_tmp"));
  renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
  gate.clock.tick(1_000);
  expect(await gate.try(tokenOf(next))).toBe("jane");
  expect(await gate.try(tokenOf(old, { jti: "2" }))).toBe(REFUSED);
});

test("a file that is removed or half written leaves the last good keys in force", async () => {
  const path = join(directory, "removed.json");
  writeFileSync(path, textOf(old));
  const gate = gateOf(path);
  expect(await gate.try(tokenOf(old))).toBe("jane");
  truncateSync(path, 20);
  gate.clock.tick(1_000);
  expect(await gate.try(tokenOf(old, { jti: "2" }))).toBe("jane");
  rmSync(path);
  gate.clock.tick(1_000);
  expect(await gate.try(tokenOf(old, { jti: "3" }))).toBe("jane");
  expect(gate.problems).toEqual([
    `jwt issuer: ${path}: it is not JSON; the last good keys stay in force`,
    expect.stringMatching(/removed\.json: the file does not exist; the last good keys stay in force$/),
  ]);
});

test("what is no file, or too large to be keys, is not read", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const huge = join(directory, "huge.json");
  writeFileSync(huge, textOf(old));
  truncateSync(huge, 2 * 1024 * 1024);
  for (const [path, why] of [
    [pipe, "it is not a file"],
    [directory, "it is not a file"],
    [huge, "it has 2097152 bytes, more than 1048576"],
    [join(directory, "missing.json"), "the file does not exist"],
  ] as const) {
    const gate = gateOf(path);
    expect(await gate.try(tokenOf(old))).toBe(REFUSED);
    expect(gate.problems).toEqual([expect.stringContaining(why)]);
    expect(gate.problems[0]).toContain("every token is refused");
  }
});
