import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, loadDocument } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test } from "vitest";
import { HOUR, leaf, root } from "../../../../../core/test/authority.ts";
import type { Facts } from "../finding.ts";
import { identity } from "./identity.ts";

const shop = testAuthority({ trustDomain: "shop.example" });
const MESH = { trustDomain: "shop.example", identityTemplate: "spiffe://{trustDomain}/{service}" };

const YEAR = 365 * 24 * HOUR;

/** Certificate, key and roots of `web`, as a mounted secret has them. */
function secret(issued: { readonly certPem: string; readonly keyPem: string } = shop.issue("web")): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "tls.crt"), issued.certPem);
  writeFileSync(join(folder, "tls.key"), issued.keyPem, { mode: 0o600 });
  writeFileSync(join(folder, "ca.crt"), shop.bundlePem());
  return folder;
}

async function found(env: Environment, document: object = { services: { web: {} } }): Promise<readonly string[]> {
  const { snapshot, problems } = loadDocument({ apiVersion: "heddle/v1", mesh: MESH, ...document }, "mesh.yaml");
  if (snapshot === null) throw new Error(JSON.stringify(problems));
  const facts: Facts = {
    nodeVersion: "24.21.0",
    packages: [],
    env,
    configuration: { missing: null, problems: [], snapshots: [snapshot] },
    resolve: { addresses: async () => [], services: async () => [] } as never,
    connect: async () => null,
  };
  return (await identity.find(facts)).map(({ severity, what }) => `${severity}: ${what}`);
}

test("a certificate that is whole, and that callers of the service expect, is nothing to find", async () => {
  expect(await found({ HEDDLE_IDENTITY: secret(), HEDDLE_SERVICE: "web" })).toEqual([]);
});

test("no roots for servers of another trust domain are an error that names who cannot be called", async () => {
  const partner = { endpoints: [{ address: "127.0.0.1:9081" }], identities: ["spiffe://partner.example/*"] };
  expect(await found({ HEDDLE_IDENTITY: secret() }, { services: { web: {}, partner, rates: partner } })).toEqual([
    expect.stringMatching(/^error: there are no roots of the trust domain partner\.example, of which the servers of partner, rates are/),
  ]);
  const plain = { endpoints: [{ address: "127.0.0.1:9081" }], tls: { mode: "disable" } };
  expect(await found({ HEDDLE_IDENTITY: secret() }, { services: { web: {}, plain } })).toEqual([]);
});

test("a certificate of another trust domain than the document's is an error", async () => {
  const mesh = { ...MESH, trustDomain: "other.example" };
  const findings = await found({ HEDDLE_IDENTITY: secret(), HEDDLE_SERVICE: "web" }, { mesh, services: { web: {} } });
  expect(findings).toEqual([
    "error: the certificate is for spiffe://shop.example/web, and callers of web expect spiffe://other.example/web",
    expect.stringMatching(/^error: there are no roots of the trust domain other\.example/),
  ]);
});

test("a strict service that a process without an identity cannot call is a warning", async () => {
  const orders = { endpoints: [{ address: "127.0.0.1:9081" }], inbound: { mtls: "strict" } };
  expect(await found({ HEDDLE_SERVICE: "web" }, { services: { web: {}, orders } })).toEqual([
    expect.stringMatching(/^warning: HEDDLE_IDENTITY is not set: service orders: inbound\.mtls is strict/),
  ]);
  expect(await found({ HEDDLE_SERVICE: "web" }, { services: { web: {}, orders: { ...orders, tls: { mode: "disable" } } } })).toEqual([]);
});

test("a last root that will end is a warning", async () => {
  const notBeforeMs = Date.now() - YEAR;
  const authority = root("shop root", { notBeforeMs, notAfterMs: Date.now() + YEAR / 50 });
  const { pem, keyPem } = leaf(authority, "spiffe://shop.example/web", { notBeforeMs, notAfterMs: Date.now() + YEAR });
  const folder = secret({ certPem: pem, keyPem });
  writeFileSync(join(folder, "ca.crt"), authority.pem);
  expect(await found({ HEDDLE_IDENTITY: folder })).toEqual([
    expect.stringMatching(/^warning: the last valid root of shop\.example expires /),
  ]);
});

test("a key that others can read is a warning, not the end", async () => {
  const folder = secret();
  chmodSync(folder, 0o755);
  chmodSync(join(folder, "tls.key"), 0o644);
  expect(await found({ HEDDLE_IDENTITY: folder, HEDDLE_SERVICE: "web" })).toEqual([
    expect.stringMatching(/^warning: .*tls\.key: the private key can be read by every user/),
  ]);
});

test.each(["expired", "not-yet-valid"] as const)("one that is %s is an error that says what the clock says", async (wrong) => {
  expect(await found({ HEDDLE_IDENTITY: secret(shop.wrong(wrong, "web")), HEDDLE_SERVICE: "web" })).toEqual([
    expect.stringMatching(/^error: /),
  ]);
});

test("what cannot be read, and what is no value of the variable, is an error", async () => {
  expect(await found({ HEDDLE_IDENTITY: "/nowhere" })).toEqual([
    expect.stringMatching(/^error: \/nowhere\/ca\.crt: the file does not exist/),
  ]);
  expect(await found({ HEDDLE_IDENTITY: "nowhere" })).toEqual([
    expect.stringMatching(/^error: .*expected "dev", "workload-api", or the path/),
  ]);
});

test("identity.dev in production, and an agent that nobody names, are errors", async () => {
  expect(await found({ HEDDLE_IDENTITY: "dev" }, { mesh: {}, services: { web: {} } })).toEqual([]);
  expect(await found({ HEDDLE_IDENTITY: "dev", NODE_ENV: "production" })).toEqual([
    "error: HEDDLE_IDENTITY=dev, and NODE_ENV is production",
  ]);
  expect(await found({ HEDDLE_IDENTITY: "workload-api" })).toEqual([expect.stringMatching(/^error: .*SPIFFE_ENDPOINT_SOCKET/)]);
  expect(await found({ HEDDLE_IDENTITY: "workload-api", SPIFFE_ENDPOINT_SOCKET: "unix:///run/agent.sock" })).toEqual([]);
});

test("a configuration that demands mutual TLS without an identity in sight is a warning", async () => {
  const warned = ["warning: the configuration demands mutual TLS, and HEDDLE_IDENTITY is not set"];
  const strict = { services: { web: { inbound: { mtls: "strict" } } } };
  expect(await found({ HEDDLE_SERVICE: "web" }, strict)).toEqual(warned);
  expect(await found({}, strict)).toEqual([]);
  const reviews = { endpoints: [{ address: "127.0.0.1:9081" }], tls: { mode: "mutual" } };
  expect(await found({}, { services: { reviews } })).toEqual(warned);
  expect(await found({}, { services: { reviews: { endpoints: reviews.endpoints } } })).toEqual([]);
});
