import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";
import { documentFile, heddle } from "./heddle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const INSTALLED = ["heddle", "@heddle/core", "@heddle/http", "undici", "@opentelemetry/api"];

// A project that has what heddle brings, once: this repository also has undici in the versions of others.
beforeEach(() => {
  const project = mkdtempSync(join(tmpdir(), "heddle-doctor-"));
  for (const name of INSTALLED) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "dir");
  }
  process.chdir(project);
});

afterEach(() => {
  const project = process.cwd();
  process.chdir(root);
  rmSync(project, { recursive: true, force: true });
});

async function listening(): Promise<string> {
  const server = createServer((socket) => socket.end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function documentOf(...addresses: readonly string[]): string {
  return documentFile(`apiVersion: heddle/v1
services:
  reviews: { endpoints: [${addresses.map((address) => `{ address: "${address}" }`).join(", ")}] }
`);
}

test("ends with 0 where all is well, and says what it looked at", async () => {
  const { code, out } = await heddle("doctor", "--config", documentOf(await listening()));
  expect(out).toContain("looked at: the version of Node.js; ");
  expect(out).toMatch(/nothing found\n$/);
  expect(code).toBe(0);
});

test("a warning alone ends with 0: one endpoint of two that nobody listens on", async () => {
  const [down] = await freePorts(1);
  const { code, out } = await heddle("doctor", "--config", documentOf(await listening(), `127.0.0.1:${down}`));
  expect(out).toMatch(/^warning: 1 of 2 endpoints of reviews cannot be reached: 127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/m);
  expect(out).toMatch(/^ {2}why it matters: \S.*\n {2}what to do: \S/m);
  expect(code).toBe(0);
});

test("an error ends with 1; --json has every finding", async () => {
  const { code, out } = await heddle("doctor", "--json", "--config", documentOf(`127.0.0.1:${(await freePorts(1))[0]}`));
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    ok: false,
    checked: expect.arrayContaining(["endpoints that cannot be reached"]),
    findings: [
      { severity: "error", what: expect.stringContaining("no endpoint of reviews"), why: expect.any(String), whatToDo: expect.any(String) },
    ],
  });
});

test("mistakes of a document are found in their place", async () => {
  const { code, out } = await heddle("doctor", "--config", documentFile("apiVersion: heddle/v1\nservces: {}\n"));
  expect(code).toBe(1);
  expect(out).toMatch(/^error: .*mesh\.yaml:2:1: .*did you mean "services"/m);
});

test("looks into a folder of documents, whose problems and endpoints are those of all together", async () => {
  const path = documentFile(
    `apiVersion: heddle/v1\nservices: { web: {}, ratings: { endpoints: [{ address: "127.0.0.1:${(await freePorts(1))[0]}" }] } }\n`,
  );
  const { code, out } = await heddle("doctor", "--config", path.replace(/mesh\.yaml$/, "*.yaml"));
  expect(code).toBe(1);
  expect(out).toContain("no endpoint of ratings can be reached");
});

test("a document that does not exist is a wrong command line", async () => {
  const { code, err } = await heddle("doctor", "--config", "nowhere.yaml");
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("nowhere.yaml does not exist") });
});

test("certificates of a folder are looked at: whole, of another ID, of another key", async () => {
  const folder = process.cwd();
  const quiet = await heddle("ca", "init", "--trust-domain", "shop.example");
  expect(quiet.code).toBe(0);
  for (const name of ["reviews", "web"]) expect((await heddle("ca", "issue", name, "--out", join(folder, name))).code).toBe(0);
  const config = documentFile(`apiVersion: heddle/v1
mesh: { trustDomain: shop.example, identityTemplate: "spiffe://{trustDomain}/{service}" }
services: { reviews: { endpoints: [{ address: "${await listening()}" }] } }
`);
  vi.stubEnv("HEDDLE_SERVICE", "reviews");
  onTestFinished(() => void vi.unstubAllEnvs());
  const look = (name: string) => heddle("doctor", "--config", config, "--identity", join(folder, name));
  expect(await look("reviews")).toMatchObject({ code: 0, out: expect.stringContaining("nothing found") });
  const other = await look("web");
  expect(other.out).toContain(
    "the certificate is for spiffe://shop.example/web, and callers of reviews expect spiffe://shop.example/reviews",
  );
  copyFileSync(join(folder, "web", "tls.key"), join(folder, "reviews", "tls.key"));
  expect(await look("reviews")).toMatchObject({ code: 1, out: expect.stringMatching(/^error: .*key/m) });
});

test("a development identity of another trust domain than the document's is found, before and after its folder is made", async () => {
  const config = documentFile(`apiVersion: heddle/v1
mesh: { trustDomain: shop.example, identityTemplate: "spiffe://{trustDomain}/{service}" }
services: { reviews: { endpoints: [{ address: "${await listening()}" }] } }
`);
  const look = () => heddle("doctor", "--config", config, "--identity", "dev");
  const found = {
    code: 1,
    out: expect.stringMatching(/^error: identity\.dev is of the trust domain heddle\.test .*servers in shop\.example$/m),
  };
  expect(await look()).toMatchObject(found);
  expect((await heddle("ca", "init")).code).toBe(0);
  expect(await look()).toMatchObject(found);
  rmSync(".heddle", { recursive: true });
  expect((await heddle("ca", "init", "--trust-domain", "shop.example")).code).toBe(0);
  expect(await look()).toMatchObject({ code: 0, out: expect.stringContaining("nothing found") });
});
