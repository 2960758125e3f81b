import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BenchAuthority } from "./credentials.ts";
import { CALLER, idOf, SERVICE } from "./document.ts";
import { credentialsFile, readCredentials } from "./handed-credentials.ts";

test.each([CALLER, SERVICE])("%s is handed a certificate of its ID, on P-256, that the run's authority signed", (service) => {
  using authority = new BenchAuthority();
  const { certificate, key, roots } = readCredentials(authority.folder, service);
  const leaf = new X509Certificate(certificate);
  expect(leaf.subjectAltName).toBe(`URI:${idOf(service)}`);
  expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(leaf.verify(new X509Certificate(roots).publicKey)).toBe(true);
  expect(statSync(credentialsFile(authority.folder, service)).mode & 0o077).toBe(0);
});

test("nothing of an authority outlives its run", () => {
  const authority = new BenchAuthority();
  authority[Symbol.dispose]();
  expect(existsSync(join(authority.folder, ".."))).toBe(false);
});
