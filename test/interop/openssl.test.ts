import { execFileSync, spawnSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSpiffeId } from "@heddle/core";
import { Authority, newKeyPair, readCertificateRequest, writeCertificateRequest, writePem } from "@heddle/spiffe";
import { testAuthority, WRONG_CERTIFICATES, type WrongCertificate } from "@heddle/testing/authority";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "heddle-openssl-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => {
  const { error } = spawnSync("openssl", ["version"], { stdio: "ignore" });
  if (error) throw new Error("openssl is missing, and test:interop does not skip: apt-get install openssl", { cause: error });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const openssl = (...args: readonly string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Whether OpenSSL, at its strictest, takes this chain for a server's and a client's; its words where it does not. */
function verify(chain: readonly Buffer[], roots: string): readonly string[] {
  const [leaf = Buffer.alloc(0), ...rest] = chain;
  const untrusted =
    rest.length === 0 ? [] : ["-untrusted", file("untrusted.crt", rest.map((der) => writePem("CERTIFICATE", der)).join(""))];
  return ["sslserver", "sslclient"].map((purpose) => {
    const args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", file("ca.crt", roots), ...untrusted];
    const { status, stdout, stderr } = spawnSync("openssl", [...args, file("leaf.crt", writePem("CERTIFICATE", leaf))], {
      encoding: "utf8",
    });
    return status === 0 ? "OK" : stdout + stderr;
  });
}

const now = Date.now();
const authority = Authority.create({ trustDomain: "shop.test", nowMs: now, lifetimeMs: 3_600_000 });
const parsed = parseSpiffeId("spiffe://shop.test/web");
if (!parsed.ok) throw new Error(parsed.reason);
const order = { id: parsed.value, nowMs: now, lifetimeMs: 600_000 };

describe("openssl verify -x509_strict", () => {
  test("accepts leaves from a root, through an intermediate, and through a root that the old one cross-signed", () => {
    const middle = authority.intermediate({ nowMs: now, lifetimeMs: 600_000 });
    for (const by of [authority, middle]) {
      const issued = by.issue(newKeyPair().publicKey, order);
      if (!issued.ok) throw new Error(issued.reason);
      expect(verify(issued.value.chain, authority.bundlePem())).toEqual(["OK", "OK"]);
    }
    const tested = testAuthority();
    const old = tested.bundlePem();
    tested.replaceRoot({ crossSign: true });
    expect(verify(tested.issue("web").chain, old)).toEqual(["OK", "OK"]);
    expect(verify(tested.issue("web").chain, tested.bundlePem())).toEqual(["OK", "OK"]);
  });

  test("finds the right one of two roots of one name, by their key identifiers", () => {
    const other = Authority.create({ trustDomain: "shop.test", nowMs: now, lifetimeMs: 3_600_000 });
    for (const by of [authority, other]) {
      const issued = by.issue(newKeyPair().publicKey, order);
      if (!issued.ok) throw new Error(issued.reason);
      expect(verify(issued.value.chain, other.bundlePem() + authority.bundlePem())).toEqual(["OK", "OK"]);
    }
  });

  /** What is wrong by the rules of X.509; the rest is wrong by those of SPIFFE, which OpenSSL does not know. */
  const WRONG_TO_OPENSSL: readonly WrongCertificate[] = [
    "expired",
    "not-yet-valid",
    "other-purpose",
    "foreign-authority",
    "forged",
    "self-signed",
    "signed-by-leaf",
    "path-too-long",
    "expired-intermediate",
    "missing-intermediate",
  ];
  const tested = testAuthority();
  test.each(WRONG_TO_OPENSSL)("refuses the wrong certificate %s, as we do", (kind) => {
    for (const words of verify(tested.wrong(kind, "web").chain, tested.bundlePem())) expect(words).toMatch(/verification failed|error/);
  });

  test.each(["server-alone", "client-alone"] as const)("refuses %s in the other's place alone", (kind) => {
    const [asServer, asClient] = verify(tested.wrong(kind, "web").chain, tested.bundlePem());
    expect([asServer, asClient].map((words) => words === "OK")).toEqual(kind === "server-alone" ? [true, false] : [false, true]);
    expect(WRONG_CERTIFICATES[kind].wrongAs).toBe(kind === "server-alone" ? "client" : "server");
  });
});

describe("openssl x509 -text", () => {
  const textOf = (pem: string): string => openssl("x509", "-noout", "-text", "-in", file("shown.crt", pem));

  test("shows a leaf that is an X509-SVID and nothing more", () => {
    const issued = authority.issue(newKeyPair().publicKey, order);
    if (!issued.ok) throw new Error(issued.reason);
    const text = textOf(writePem("CERTIFICATE", issued.value.chain[0] ?? Buffer.alloc(0)));
    expect(text).toContain("Version: 3 (0x2)");
    expect(text).toContain("Signature Algorithm: ecdsa-with-SHA256");
    expect(text).toMatch(/Issuer: O ?= ?shop\.test, CN ?= ?development authority/);
    expect(text).toMatch(/Subject: *\n/);
    expect(text).toContain("NIST CURVE: P-256");
    expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE\n/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: *\s+TLS Web Server Authentication, TLS Web Client Authentication\n/);
    expect(text).toMatch(/X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/shop\.test\/web\n/);
    const identifier = (certificate: string, which: string): string | undefined =>
      new RegExp(`X509v3 ${which} Key Identifier: *\\s+(?:keyid:)?([0-9A-F:]{59})\\n`).exec(certificate)?.[1];
    expect(identifier(text, "Authority")).toBe(identifier(textOf(authority.bundlePem()), "Subject"));
    expect(identifier(text, "Authority")).toBeDefined();
  });

  test("shows a root that may sign, and an intermediate that may have none below it", () => {
    const middle = authority.intermediate({ nowMs: now, lifetimeMs: 600_000 });
    const shown = [authority.bundlePem(), writePem("CERTIFICATE", middle.chain[0] ?? Buffer.alloc(0))].map(textOf);
    for (const text of shown) {
      expect(text).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
      expect(text).toMatch(/X509v3 Subject Alternative Name: *\s+URI:spiffe:\/\/shop\.test\n/);
      expect(text).not.toContain("Extended Key Usage");
    }
    expect(shown[0]).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE\n/);
    expect(shown[1]).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
  });
});

describe("certificate requests", () => {
  test("of ours are read and found to be signed by OpenSSL", () => {
    const request = file("ours.csr", writePem("CERTIFICATE REQUEST", writeCertificateRequest(newKeyPair(), "spiffe://shop.test/web")));
    const { status, stdout, stderr } = spawnSync("openssl", ["req", "-in", request, "-verify", "-noout", "-text"], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stderr + stdout).toMatch(/verify OK/i);
    expect(stdout).toMatch(/X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/shop\.test\/web\n/);
  });

  test.each(["prime256v1", "secp384r1"])("of OpenSSL's on %s get a certificate for their key", (curve) => {
    const key = join(folder, `${curve}.key`);
    openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", key);
    openssl(
      "req",
      "-new",
      "-key",
      key,
      "-subj",
      "/CN=admin",
      "-addext",
      "subjectAltName=URI:spiffe://shop.test/admin",
      "-outform",
      "DER",
      "-out",
      join(folder, "theirs.csr"),
    );
    const request = readFileSync(join(folder, "theirs.csr"));
    const read = readCertificateRequest(request);
    if (!read.ok) throw new Error(read.reason);
    expect(read.value.equals(createPublicKey(readFileSync(key)))).toBe(true);
    const issued = authority.issueFor(request, order);
    if (!issued.ok) throw new Error(issued.reason);
    expect(verify(issued.value.chain, authority.bundlePem())).toEqual(["OK", "OK"]);
    expect(
      openssl(
        "x509",
        "-noout",
        "-ext",
        "subjectAltName",
        "-in",
        file("got.crt", writePem("CERTIFICATE", issued.value.chain[0] ?? Buffer.alloc(0))),
      ),
    ).toMatch(/URI:spiffe:\/\/shop\.test\/web\n$/);
  });
});

test("an authority whose key and root OpenSSL made is read, if its root bears the ID of the trust domain", () => {
  const [key, root] = [join(folder, "made.key"), join(folder, "made.crt")];
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", key);
  const options = [
    "-x509",
    "-new",
    "-key",
    key,
    "-days",
    "1",
    "-subj",
    "/CN=made by hand",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
  ];
  openssl("req", ...options, "-addext", "subjectAltName=URI:spiffe://made.test", "-out", root);
  const texts = [
    { text: readFileSync(root, "utf8"), from: root },
    { text: readFileSync(key, "utf8"), from: key },
  ] as const;
  const made = Authority.read(...texts);
  if (!made.ok) throw new Error(made.reason);
  const id = parseSpiffeId("spiffe://made.test/web");
  if (!id.ok) throw new Error(id.reason);
  const issued = made.value.issue(newKeyPair().publicKey, { ...order, id: id.value, nowMs: Math.max(Date.now(), made.value.notBeforeMs) });
  if (!issued.ok) throw new Error(issued.reason);
  expect(verify(issued.value.chain, texts[0].text)).toEqual(["OK", "OK"]);
});
