import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test } from "vitest";
import { signingKey } from "../../packages/core/test/token-issuer.ts";
import { guarded } from "../security/guarded.ts";
import { documentFile, heddle } from "./heddle.ts";

const shop = testAuthority({ trustDomain: "shop.example" });

function folderOf(service: string): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-curl-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { certPem, keyPem } = shop.issue(service);
  writeFileSync(join(folder, "tls.crt"), certPem);
  writeFileSync(join(folder, "tls.key"), keyPem, { mode: 0o600 });
  writeFileSync(join(folder, "ca.crt"), shop.bundlePem());
  return folder;
}

async function reviews(): Promise<{ readonly config: string; readonly called: () => number }> {
  let calls = 0;
  const authorize = [{ name: "web-reads", from: [{ principals: ["spiffe://shop.example/web"] }] }];
  const { listener } = await guarded({ authorize }, (_request, response) => response.end(`hello ${++calls}`), {
    identity: shop.source("reviews"),
  });
  const config = documentFile(`apiVersion: heddle/v1
mesh: { trustDomain: shop.example, identityTemplate: "spiffe://{trustDomain}/{service}" }
services:
  reviews: { endpoints: [{ address: "127.0.0.1:${listener.port}" }], retry: off }
`);
  return { config, called: () => calls };
}

test("curl calls by mutual TLS as whom --identity says, and is refused where that one may not", async () => {
  const { config, called } = await reviews();
  const url = "http://reviews/api/7";
  expect(await heddle("curl", url, "--config", config, "--identity", folderOf("web"))).toMatchObject({ code: 0, out: "hello 1" });
  const other = await heddle("curl", url, "-i", "--config", config, "--identity", folderOf("stranger"));
  expect(other).toMatchObject({ code: 1, out: expect.stringMatching(/^HTTP 403\n/) });
  expect(other.out).toContain("\nx-heddle-error: permission_denied\n");
  expect(other.err).toMatch(/: 403 permission_denied: service reviews.*\n(?:.*\n)*? {2}hint: who calls may not do this/);
  expect(called()).toBe(1);
});

test("curl names the code of a refusal, and what to do about it", async () => {
  const { config } = await reviews();
  const plain = documentFile(readFileSync(config, "utf8").replace("retry: off", "retry: off, tls: { mode: disable }"));
  const { code, out, err } = await heddle("curl", "http://reviews/api/7", "--config", plain);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/: 403 mtls_required: service reviews/);
  expect(err).toMatch(/\n {2}hint: the service wants mutual TLS.*--identity FOLDER or HEDDLE_IDENTITY\n$/);
});

test("curl hints at what a 401 asks for", async () => {
  const jwt = [{ issuer: "https://issuer.example", jwks: { inline: { keys: [signingKey().jwk] } } }];
  const byToken = [{ name: "people", from: [{ requestPrincipals: ["*"] }] }];
  const { listener } = await guarded({ jwt, authorize: byToken }, (_request, response) => response.end());
  const config = documentFile(`apiVersion: heddle/v1\nservices: { reviews: { endpoints: [{ address: "127.0.0.1:${listener.port}" }] } }\n`);
  const { err } = await heddle("curl", "http://reviews/", "--config", config);
  expect(err).toMatch(/: 401 unauthenticated: .*\n(?:.*\n)*? {2}hint: the service wants a valid token: -H/);
});

test("curl takes any path of a folder for an identity", async () => {
  const { config } = await reviews();
  const folder = relative(process.cwd(), folderOf("web"));
  const below = mkdtempSync(join(process.cwd(), "node_modules", ".heddle-curl-"));
  onTestFinished(() => rmSync(below, { recursive: true, force: true }));
  cpSync(folder, below, { recursive: true });
  const path = relative(process.cwd(), below);
  expect(path).toMatch(/^node_modules/);
  expect(await heddle("curl", "http://reviews/api/7", "--config", config, "--identity", path)).toMatchObject({ code: 0 });
});

test("curl wants to know whose certificate --identity dev makes, and says so at once", async () => {
  const config = documentFile(`apiVersion: heddle/v1\nservices: { web: {} }\n`);
  expect(await heddle("curl", "http://web/", "--config", config, "--identity", "dev")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/--identity dev makes the certificate of a service: say of which, with --service NAME or HEDDLE_SERVICE/),
  });
});

test("curl calls as the service that --service names", async () => {
  const config = documentFile(`apiVersion: heddle/v1
services:
  web: { inbound: { mtls: strict } }
  reviews: { endpoints: [{ address: "127.0.0.1:1" }] }
`);
  // What it would demand as that service, it lacks.
  const { code, err } = await heddle("curl", "http://reviews/", "--config", config, "--service", "web");
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/say who calls, with --identity FOLDER/) });
});

test("curl says which service was probably meant where no service claims the host", async () => {
  const config = documentFile(`apiVersion: heddle/v1\nservices: { reviews: { endpoints: [{ address: "127.0.0.1:1" }] } }\n`);
  const { code, err } = await heddle("curl", "http://reveiws:1/", "--config", config, "-m", "5s");
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/; no service claims this host; did you mean "reviews"\?$/m) });
});

test("curl does not wait where the document wants an identity and none is given", async () => {
  const config = documentFile(`apiVersion: heddle/v1
services:
  reviews: { endpoints: [{ address: "127.0.0.1:9081" }], identities: ["spiffe://shop.example/reviews"], tls: { mode: mutual } }
`);
  const startedAt = performance.now();
  const { code, err } = await heddle("curl", "http://reviews/", "--config", config);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/calls by mutual TLS: say who calls, with --identity FOLDER/) });
  expect(performance.now() - startedAt).toBeLessThan(4_500);
});

test("what is no identity is a wrong command line", async () => {
  const config = documentFile(`apiVersion: heddle/v1\nservices: { web: {} }\n`);
  expect(await heddle("curl", "http://web/", "--config", config, "--identity", "nowhere")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/--identity or HEDDLE_IDENTITY: found "nowhere"/),
  });
});
