import { createPrivateKey, type KeyObject, sign, verify } from "node:crypto";
import { inspect } from "node:util";
import { authorityProblem, isNamedAsIssuer, signatureProblem, validityProblem } from "./issuing.ts";
import { moment, type Reading, read, refused } from "./names/reading.ts";
import type { SpiffeId } from "./names/spiffe-id.ts";
import { type PemBlock, type PemText, readPem } from "./pem.ts";
import { describeCertificate, nameText, type ParsedCertificate, parseCertificate, plainName, splitCertificates } from "./x509.ts";
import { readSvid } from "./x509-svid.ts";

/** The most certificates in a chain, presented or our own. */
export const MAX_CHAIN = 10;

/**
 * What this workload proves itself with: its chain and its key, which are only ever replaced together. A class, unlike other plain data,
 * so that the key is a private field: no `inspect`, JSON, spread or clone gets hold of it.
 */
export class WorkloadCertificate {
  readonly id: SpiffeId;
  /** DER, the leaf first, each followed by its issuer; without duplicates. */
  readonly chain: readonly Uint8Array[];
  /** When the leaf and all intermediates are valid at once. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** For people. */
  readonly issuer: string;
  readonly serial: string;
  /** SHA-256 of the leaf, in hex. */
  readonly fingerprint: string;
  readonly #privateKey: KeyObject;

  constructor(id: SpiffeId, chain: readonly [ParsedCertificate, ...ParsedCertificate[]], privateKey: KeyObject) {
    const [leaf] = chain;
    const presented = chain.filter((certificate) => certificate === leaf || !isNamedAsIssuer(certificate, certificate));
    this.id = id;
    this.chain = Object.freeze(chain.map((certificate) => certificate.der));
    this.notBeforeMs = Math.max(...presented.map((certificate) => certificate.notBeforeMs));
    this.notAfterMs = Math.min(...presented.map((certificate) => certificate.notAfterMs));
    this.issuer = plainName(leaf, "issuer");
    this.serial = leaf.serial;
    this.fingerprint = leaf.fingerprint;
    this.#privateKey = privateKey;
    Object.freeze(this);
  }

  /** For TLS alone. */
  get privateKey(): KeyObject {
    return this.#privateKey;
  }

  toJSON(): Readonly<Record<string, string>> {
    const { id, issuer, serial, fingerprint } = this;
    return { id: id.text, issuer, serial, fingerprint, notBefore: moment(this.notBeforeMs), notAfter: moment(this.notAfterMs) };
  }

  toString(): string {
    return `certificate of ${this.id.text} (serial ${this.serial}, issued by "${this.issuer}", until ${moment(this.notAfterMs)})`;
  }

  static {
    Object.defineProperty(WorkloadCertificate.prototype, inspect.custom, {
      value(this: WorkloadCertificate): string {
        return this.toString();
      },
    });
  }
}

/** Something read, and where it stood, for messages. */
interface Located<Value> {
  readonly value: Value;
  readonly where: string;
}

const KEY_TYPES = { "PRIVATE KEY": "pkcs8", "RSA PRIVATE KEY": "pkcs1", "EC PRIVATE KEY": "sec1" } as const;
type KeyLabel = keyof typeof KEY_TYPES;
const EXPECTED_KEY = `expected one of ${Object.keys(KEY_TYPES).join(", ")}`;

/**
 * Reads a certificate and its key from PEM: certificate and key apart or in one text, the key before or behind the chain. Exactly one
 * key, without a password; the chain leaf first, each certificate signed by the next; all of it valid now; the leaf an X509-SVID that
 * the key belongs to.
 */
export function readCertificate(texts: readonly PemText[], nowMs: number): Reading<WorkloadCertificate> {
  const blocks: PemBlock[] = [];
  for (const text of texts) {
    const found = readPem(text);
    if (!found.ok) return found;
    blocks.push(...found.value);
  }
  const from = texts.map((text) => text.from).join(" and ");
  const certificates = blocks.filter((block) => block.label === "CERTIFICATE").map(({ der, where }) => ({ value: der, where }));
  // `openssl ecparam -genkey` writes the curve before the key, which names it again.
  const others = blocks.filter((block) => block.label !== "CERTIFICATE" && block.label !== "EC PARAMETERS");
  const keys = others.filter((block) => isKeyLabel(block.label));
  const unknown = others.find((block) => !isKeyLabel(block.label));
  if (unknown?.label === "ENCRYPTED PRIVATE KEY")
    return refused(`${unknown.where}: the private key is encrypted, expected one without a password`);
  if (unknown !== undefined) return refused(`${unknown.where}: found ${unknown.label}, expected CERTIFICATE or a private key`);
  const [key, secondKey] = keys;
  if (key === undefined) return refused(`${from}: no private key, ${EXPECTED_KEY}`);
  if (secondKey !== undefined) return refused(`${secondKey.where}: a second private key, the first is at ${key.where}; expected one`);
  if (certificates.length === 0) return refused(`${from}: no certificate, expected at least that of the workload`);
  const privateKey = readKey(key.der, key.label as KeyLabel, key.where);
  return privateKey.ok ? workloadCertificate(certificates, { value: privateKey.value, where: key.where }, nowMs) : privateKey;
}

/** The same from DER, the chain's certificates one behind the other and the key as PKCS#8, as the Workload API sends them. */
export function certificateFromDer(
  { chain, key, from }: { readonly chain: Uint8Array; readonly key: Uint8Array; readonly from: string },
  nowMs: number,
): Reading<WorkloadCertificate> {
  const parts = splitCertificates(chain);
  if (!parts.ok) return refused(`${from}: ${parts.reason}`);
  if (parts.value.length === 0) return refused(`${from}: no certificate, expected at least that of the workload`);
  const privateKey = readKey(key, "PRIVATE KEY", `the key of ${from}`);
  if (!privateKey.ok) return privateKey;
  const located = parts.value.map((value, index) => ({ value, where: `certificate ${index + 1} of ${from}` }));
  return workloadCertificate(located, { value: privateKey.value, where: `the key of ${from}` }, nowMs);
}

function isKeyLabel(label: string): label is KeyLabel {
  return Object.hasOwn(KEY_TYPES, label);
}

function readKey(der: Uint8Array, label: KeyLabel, where: string): Reading<KeyObject> {
  try {
    return read(createPrivateKey({ key: Buffer.from(der), format: "der", type: KEY_TYPES[label] }));
  } catch {
    // OpenSSL's words say nothing that people could act on.
    return refused(`${where}: the ${label} cannot be read, expected ${KEY_TYPES[label].toUpperCase()} without a password`);
  }
}

function workloadCertificate(ders: readonly Located<Uint8Array>[], key: Located<KeyObject>, nowMs: number): Reading<WorkloadCertificate> {
  const chain = new Map<string, Located<ParsedCertificate>>();
  for (const { value: der, where } of ders) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return refused(`${where}: ${certificate.reason}`);
    // Istio sends the root twice where its own chain holds it.
    if (!chain.has(certificate.value.fingerprint)) chain.set(certificate.value.fingerprint, { value: certificate.value, where });
    if (chain.size > MAX_CHAIN) return refused(`${where}: more than ${MAX_CHAIN} certificates in a chain`);
  }
  const [leaf, ...issuers] = chain.values();
  if (leaf === undefined) return refused(`${key.where}: no certificate for this key`);
  const problem = keyProblem(leaf, issuers, key) ?? chainProblem([leaf, ...issuers], nowMs);
  if (problem !== null) return refused(problem);
  const id = readSvid(leaf.value);
  if (!id.ok) return refused(`${leaf.where}: the certificate ${id.reason}`);
  return read(new WorkloadCertificate(id.value, [leaf.value, ...issuers.map(({ value }) => value)], key.value));
}

function keyProblem(
  leaf: Located<ParsedCertificate>,
  issuers: readonly Located<ParsedCertificate>[],
  key: Located<KeyObject>,
): string | null {
  if (leaf.value.x509.checkPrivateKey(key.value)) {
    return signsFor(key.value, leaf.value.x509.publicKey)
      ? null
      : `${key.where}: the private key is damaged: what it signs cannot be verified`;
  }
  const owner = issuers.find(({ value }) => value.x509.checkPrivateKey(key.value));
  return owner === undefined
    ? `${key.where}: the private key does not belong to the certificate ${describeCertificate(leaf.value)} at ${leaf.where}`
    : `${owner.where}: the key belongs to this certificate, expected it to come first, before ${describeCertificate(leaf.value)} at ${leaf.where}`;
}

/** OpenSSL compares public halves alone, and a key file has both: with a damaged private one every handshake would fail. */
function signsFor(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const digest = privateKey.asymmetricKeyType?.startsWith("ed") === true ? null : "sha256";
  const text = Buffer.from("whose key is this");
  try {
    return verify(digest, text, publicKey, sign(digest, text, privateKey));
  } catch {
    return false;
  }
}

/** A root at the end is not asked for its life: peers take theirs. */
function chainProblem(chain: readonly Located<ParsedCertificate>[], nowMs: number): string | null {
  for (const [index, { value: certificate, where }] of chain.entries()) {
    const isRoot = index > 0 && isNamedAsIssuer(certificate, certificate);
    const validity = isRoot ? null : validityProblem(certificate, nowMs);
    if (validity !== null)
      return `${where}: the certificate ${describeCertificate(certificate)} ${validity}; it is now ${momentOrUnknown(nowMs)}`;
    const next = chain[index + 1];
    if (next === undefined) return null;
    const signature = isNamedAsIssuer(certificate, next.value)
      ? signatureProblem(certificate, next.value)
      : `is not ${nameText(certificate, "issuer")}, the issuer of ${describeCertificate(certificate)} at ${where}`;
    if (signature !== null)
      return `${next.where}: ${describeCertificate(next.value)} ${signature}; expected the leaf first, each followed by its issuer`;
    const authority = authorityProblem(next.value, index);
    if (authority !== null) return `${next.where}: ${describeCertificate(next.value)} ${authority}`;
  }
  return null;
}

function momentOrUnknown(ms: number): string {
  return Number.isFinite(ms) ? moment(ms) : "unknown";
}
