import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test } from "vitest";
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
  expect(called()).toBe(1);
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
