import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCertificate, readTrustBundle, trustBundles } from "@heddle/core";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { peerVerifier } from "../../packages/core/src/identity/verify-peer.ts";
import { heddle } from "./heddle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

beforeEach(() => process.chdir(mkdtempSync(join(tmpdir(), "heddle-ca-"))));
afterEach(() => {
  const folder = process.cwd();
  process.chdir(root);
  rmSync(folder, { recursive: true, force: true });
});

const text = (path: string): string => readFileSync(path, "utf8");
const mode = (path: string): number => statSync(path).mode & 0o777;

/** What a mesh makes of the files. */
function verdict(folder: string) {
  const now = Date.now();
  const certificate = readCertificate([{ text: text(`${folder}/tls.crt`) + text(`${folder}/tls.key`), from: folder }], now);
  if (!certificate.ok) throw new Error(certificate.reason);
  const { id, chain } = certificate.value;
  const bundle = readTrustBundle(id.trustDomain, [{ text: text(`${folder}/ca.crt`), from: "ca.crt" }]);
  if (!bundle.ok) throw new Error(bundle.reason);
  return peerVerifier().verify({ presented: chain, bundles: trustBundles([bundle.value]), nowMs: now, purpose: "server", expected: null });
}

test("where NODE_ENV is production nothing is made, unless it is asked for by name", async () => {
  vi.stubEnv("NODE_ENV", "production");
  onTestFinished(() => void vi.unstubAllEnvs());
  const refused = {
    code: 1,
    out: "",
    err: expect.stringMatching(/^error: NODE_ENV is production.*nothing was written.*--allow-in-production/),
  };
  expect(await heddle("ca", "init")).toMatchObject(refused);
  expect(existsSync(".heddle")).toBe(false);
  expect(await heddle("ca", "init", "--allow-in-production")).toMatchObject({ code: 0 });
  expect(await heddle("ca", "issue", "web")).toMatchObject(refused);
  expect(existsSync(".heddle/web")).toBe(false);
  expect(await heddle("ca", "issue", "web", "--allow-in-production")).toMatchObject({ code: 0 });
  expect(verdict(".heddle/web").ok).toBe(true);
});

describe("ca init", () => {
  test("makes an authority whose key its owner alone can read, and says loudly that it is not for production", async () => {
    const { code, out, err } = await heddle("ca", "init");
    expect(code).toBe(0);
    expect(out).toMatch(/^authority of heddle\.test, until \d{4}-.*Z\n {2}.*\.heddle\/ca\/ca\.crt\n {2}.*\.heddle\/ca\/ca\.key\n$/);
    expect(err).toMatch(/^warning: NOT FOR PRODUCTION: .*\.heddle\/ca/);
    expect(mode(".heddle/ca/ca.key")).toBe(0o600);
    expect(out + err).not.toContain(text(".heddle/ca/ca.key").split("\n")[1]);
  });

  test("takes a folder and a trust domain; --json prints one object", async () => {
    const { code, out } = await heddle("ca", "init", "--dir", "here", "--trust-domain", "shop.example", "--json");
    expect(code).toBe(0);
    const said = JSON.parse(out) as Record<string, string>;
    expect(said).toEqual({
      trustDomain: "shop.example",
      dir: join(process.cwd(), "here"),
      certificateFile: join(process.cwd(), "here/ca.crt"),
      keyFile: join(process.cwd(), "here/ca.key"),
      notAfter: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test("ends with 1 where one is, or anything else, which stays as it was", async () => {
    await heddle("ca", "init");
    const before = text(".heddle/ca/ca.key");
    expect(await heddle("ca", "init")).toMatchObject({ code: 1, out: "", err: expect.stringContaining("is not empty; it stays as it is") });
    expect(text(".heddle/ca/ca.key")).toBe(before);
    mkdirSync("full");
    writeFileSync("full/notes", "mine");
    expect((await heddle("ca", "init", "--dir", "full")).code).toBe(1);
    expect(readdirSync("full")).toEqual(["notes"]);
    expect(readdirSync(".").sort()).toEqual([".heddle", "full"]);
  });

  test("ends with 1 where the folder cannot be written", async () => {
    writeFileSync("file", "");
    expect(await heddle("ca", "init", "--dir", "file/ca")).toMatchObject({ code: 1, err: expect.stringMatching(/cannot be written: E/) });
  });
});

describe("ca issue", () => {
  test("writes certificate, key and roots that a mesh accepts, and prints the ID and when it ends", async () => {
    await heddle("ca", "init");
    const { code, out, err } = await heddle("ca", "issue", "web", "--lifetime", "8h");
    expect(code).toBe(0);
    const [, until = ""] = /^spiffe:\/\/heddle\.test\/web, until (\S+)\n/.exec(out) ?? [];
    expect(Math.abs(Date.parse(until) - (Date.now() + 8 * 3_600_000))).toBeLessThan(60_000);
    expect(err).toContain("NOT FOR PRODUCTION");
    expect(readdirSync(".heddle/web").sort()).toEqual([".gitignore", "ca.crt", "tls.crt", "tls.key"]);
    expect(mode(".heddle/web/tls.key")).toBe(0o600);
    expect(verdict(".heddle/web")).toMatchObject({ ok: true, peer: { id: { text: "spiffe://heddle.test/web" } } });
    expect(out + err).not.toContain(text(".heddle/web/tls.key").split("\n")[1]);
  });

  test("takes an ID of the trust domain, and a folder; --json prints one object", async () => {
    await heddle("ca", "init", "--dir", "ca", "--trust-domain", "shop.example");
    const { code, out } = await heddle("ca", "issue", "spiffe://shop.example/ns/a/sa/b", "--dir", "ca", "--out", "b", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      id: "spiffe://shop.example/ns/a/sa/b",
      notAfter: expect.stringMatching(/Z$/),
      certificateFile: join(process.cwd(), "b/tls.crt"),
      keyFile: join(process.cwd(), "b/tls.key"),
      bundleFile: join(process.cwd(), "b/ca.crt"),
    });
    expect(verdict("b")).toMatchObject({ ok: true });
  });

  test("never overwrites a key, nor roots of others, unless --force says so", async () => {
    await heddle("ca", "init");
    await heddle("ca", "issue", "web");
    const key = text(".heddle/web/tls.key");
    const certificate = text(".heddle/web/tls.crt");
    const again = await heddle("ca", "issue", "web");
    expect(again).toMatchObject({ code: 1, out: "", err: expect.stringMatching(/tls\.key would be overwritten; nothing was written/) });
    expect([text(".heddle/web/tls.key"), text(".heddle/web/tls.crt")]).toEqual([key, certificate]);
    mkdirSync("other");
    writeFileSync("other/ca.crt", "roots of others");
    expect((await heddle("ca", "issue", "web", "--out", "other")).code).toBe(1);
    expect(readdirSync("other")).toEqual(["ca.crt"]);
    expect((await heddle("ca", "issue", "web", "--force")).code).toBe(0);
    expect(text(".heddle/web/tls.key")).not.toBe(key);
    expect(mode(".heddle/web/tls.key")).toBe(0o600);
    expect(verdict(".heddle/web")).toMatchObject({ ok: true });
  });

  test("may write beside the authority, whose files stay", async () => {
    await heddle("ca", "init");
    const before = text(".heddle/ca/ca.crt") + text(".heddle/ca/ca.key");
    expect((await heddle("ca", "issue", "web", "--out", ".heddle/ca")).code).toBe(0);
    expect(text(".heddle/ca/ca.crt") + text(".heddle/ca/ca.key")).toBe(before);
    expect(verdict(".heddle/ca")).toMatchObject({ ok: true });
  });

  test("ends with 1 where there is no authority, or half of one", async () => {
    expect(await heddle("ca", "issue", "web")).toMatchObject({ code: 1, err: expect.stringContaining("make one with: heddle ca init") });
    expect(existsSync(".heddle")).toBe(false);
    await heddle("ca", "init");
    rmSync(".heddle/ca/ca.key");
    expect(await heddle("ca", "issue", "web")).toMatchObject({ code: 1, err: expect.stringContaining("ca.key is missing") });
  });
});

test.each([
  [["ca"], /say init or issue/],
  [["ca", "revoke"], /there is no ca "revoke"; expected init or issue/],
  [["ca", "constructor"], /there is no ca "constructor"/],
  [["ca", "init", "--trust-domain", "Shop"], /trust domain "Shop"/],
  [["ca", "init", "here"], /here/],
  [["ca", "issue"], /name one service/],
  [["ca", "issue", "a", "b"], /name one service/],
  [["ca", "issue", "a b"], /may hold only letters/],
  [["ca", "issue", ".."], /would be relative/],
  [["ca", "issue", "web", "--lifetime", "2d"], /--lifetime "2d" must be a duration/],
  [["ca", "issue", "web", "--lifetime", "0s"], /--lifetime "0s"/],
  [["ca", "issue", "spiffe://heddle.test/a"], /needs --out/],
  [["ca", "issue", "spiffe://other.test/a", "--out", "a"], /is no workload of heddle\.test/],
  [["ca", "issue", "../a", "--out", "a"], /does not begin with spiffe/],
])("a wrong command line ends with 2, says what is wrong and writes nothing: %j", async (argv, expected) => {
  await heddle("ca", "init");
  const before = readdirSync(".heddle");
  const { code, err } = await heddle(...argv);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(expected) });
  expect(err).toContain("usage: heddle ca init [--dir DIR]");
  expect(err).toContain("  heddle ca issue NAME");
  expect(readdirSync(".heddle")).toEqual(before);
  expect(readdirSync(dirname(".heddle"))).toEqual([".heddle"]);
});
