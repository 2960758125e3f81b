import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startTogether } from "./dev-authority-processes.ts";

test("processes that start at once without an authority end up with one, and leave nothing else behind", async () => {
  for (let round = 0; round < 3; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), "heddle-dev-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const services = ["web", "reviews", "ratings", "catalog", "suggestions", "users"];
    const seen = await startTogether(join(folder, ".heddle/ca"), services, Date.now() + 1_500);
    expect(seen.map(({ id }) => id)).toEqual(services.map((service) => `spiffe://heddle.test/${service}`));
    expect(new Set(seen.map(({ bundle }) => bundle)).size).toBe(1);
    const [root = ""] = seen[0]?.roots ?? [];
    const authority = new X509Certificate(Buffer.from(root, "base64"));
    for (const { leaf } of seen) expect(new X509Certificate(Buffer.from(leaf, "base64")).verify(authority.publicKey)).toBe(true);
    expect(readdirSync(join(folder, ".heddle"))).toEqual(["ca"]);
    expect(readdirSync(join(folder, ".heddle/ca")).sort()).toEqual([".gitignore", "ca.crt", "ca.key"]);
  }
}, 60_000);
