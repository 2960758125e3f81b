import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type ParsedCertificate,
  type PemText,
  parseCertificate,
  parseSpiffeId,
  parseTrustDomain,
  type Reading,
  read,
  readPem,
  readTrustBundle,
  refused,
  type SpiffeId,
  type TrustBundle,
} from "@heddle/core";
import { type KeyPair, readCertificateRequest } from "./certificate-request.ts";
import { keyIdentifierIn } from "./key-identifier.ts";
import { writePem } from "./pem.ts";
import { type CertificateSigner, distinguishedName, writeCertificate } from "./write-certificate.ts";

const EMPTY_NAME = Buffer.from([0x30, 0x00]);
/** Certificates begin so long before they are issued: clocks of machines differ. */
const BACKDATED_MS = 60_000;

export interface AuthorityOptions {
  /** The name alone: `shop.example`. */
  readonly trustDomain: string;
  /** Wall-clock time. */
  readonly nowMs: number;
  readonly lifetimeMs: number;
  /** What it is called, for people. Default: `development authority`. */
  readonly commonName?: string;
}

/** Whom a certificate is for. The authority's caller decides, never who asks. */
export interface SvidOrder {
  readonly id: SpiffeId;
  /** Wall-clock time. */
  readonly nowMs: number;
  /** The certificate ends earlier where the authority does. */
  readonly lifetimeMs: number;
}

export interface IssuedSvid {
  /** DER, the leaf first, then what is between it and the root. */
  readonly chain: readonly Buffer[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A new key pair on P-256. */
export function newKeyPair(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/**
 * Issues X509-SVIDs for the IDs of one trust domain. Its key is a private field: no `inspect`, JSON, spread or clone gets hold of it.
 * For development and tests: it keeps its key in memory, remembers nothing of what it issued, and revokes nothing.
 */
export class Authority {
  readonly trustDomain: string;
  /** Whom peers trust: its root, and others that stand beside it while roots change. */
  readonly bundle: TrustBundle;
  /** DER, from its own certificate to the one below the root; empty for a root. */
  readonly chain: readonly Buffer[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly #signer: CertificateSigner;

  private constructor(certificate: ParsedCertificate, privateKey: KeyObject, bundle: TrustBundle, chain: readonly Buffer[]) {
    this.trustDomain = bundle.trustDomain;
    this.bundle = bundle;
    this.chain = chain;
    this.notBeforeMs = certificate.notBeforeMs;
    this.notAfterMs = certificate.notAfterMs;
    const { subject: name, publicKey, der } = certificate;
    this.#signer = { name, privateKey, publicKey, keyIdentifier: keyIdentifierIn(der) };
  }

  /** A new root that signs itself. Throws TypeError where the trust domain is none. */
  static create(options: AuthorityOptions): Authority {
    const { privateKey, publicKey } = newKeyPair();
    const subject = authorityName(options);
    const root = writeAuthority(options, publicKey, { name: subject, privateKey, publicKey });
    const certificate = orThrow(parseCertificate(root));
    const bundle = orThrow(readTrustBundle(options.trustDomain, [{ text: writePem("CERTIFICATE", root), from: "a new root" }]));
    return new Authority(certificate, privateKey, bundle, []);
  }

  /**
   * An authority from PEM: its key, and roots of one trust domain, of which one belongs to the key and signs. The trust domain is the one
   * that certificate names.
   */
  static read(roots: PemText, key: PemText): Reading<Authority> {
    const privateKey = readKey(key);
    if (!privateKey.ok) return privateKey;
    const blocks = readPem(roots);
    if (!blocks.ok) return blocks;
    for (const { label, der, where } of blocks.value) {
      if (label !== "CERTIFICATE") return refused(`${where}: found ${label}, expected certificates alone`);
      const certificate = parseCertificate(der);
      if (!certificate.ok) return refused(`${where}: ${certificate.reason}`);
      if (!certificate.value.x509.checkPrivateKey(privateKey.value)) continue;
      const trustDomain = trustDomainOf(certificate.value);
      if (!trustDomain.ok) return refused(`${where}: ${trustDomain.reason}`);
      const bundle = readTrustBundle(trustDomain.value, [roots]);
      return bundle.ok ? read(new Authority(certificate.value, privateKey.value, bundle.value, [])) : bundle;
    }
    return refused(`${roots.from}: no certificate belongs to the key in ${key.from}`);
  }

  /** An authority below this one, which may have none below itself. Its leaves present its certificate. */
  intermediate(options: Omit<AuthorityOptions, "trustDomain">): Authority {
    const { privateKey, publicKey } = newKeyPair();
    const whole = { commonName: "development intermediate", ...options, trustDomain: this.trustDomain };
    const der = writeAuthority(whole, publicKey, this.#signer, { pathLength: 0, notAfterMs: this.notAfterMs });
    return new Authority(orThrow(parseCertificate(der)), privateKey, this.bundle, [der, ...this.chain]);
  }

  /** Signs an X509-SVID for a key. Throws TypeError for an ID of another trust domain or without a path; refuses once it has expired. */
  issue(publicKey: KeyObject, { id, nowMs, lifetimeMs }: SvidOrder): Reading<IssuedSvid> {
    if (id.trustDomain !== this.trustDomain || id.path === "")
      throw new TypeError(
        `an authority of ${this.trustDomain} cannot issue for ${id.text}; expected an ID of a workload in ${this.trustDomain}`,
      );
    if (!(nowMs >= this.notBeforeMs && nowMs < this.notAfterMs))
      return refused(`the authority of ${this.trustDomain} is valid from ${isoTime(this.notBeforeMs)} to ${isoTime(this.notAfterMs)} only`);
    const notBeforeMs = wholeSeconds(Math.max(nowMs - BACKDATED_MS, this.notBeforeMs));
    const notAfterMs = wholeSeconds(Math.min(nowMs + lifetimeMs, this.notAfterMs));
    const leaf = writeCertificate(
      {
        subject: EMPTY_NAME,
        publicKey,
        notBeforeMs,
        notAfterMs,
        uris: [id.text],
        isAuthority: false,
        keyUsage: ["digitalSignature"],
        extendedKeyUsage: ["serverAuth", "clientAuth"],
      },
      this.#signer,
    );
    return read({ chain: [leaf, ...this.chain], notBeforeMs, notAfterMs });
  }

  /** The same for who sends a certificate request (PKCS #10, DER) that it signed with its key. What the request asks for counts for nothing. */
  issueFor(request: Uint8Array, order: SvidOrder): Reading<IssuedSvid> {
    const key = readCertificateRequest(request);
    return key.ok ? this.issue(key.value, order) : key;
  }

  /** Who signs, for certificates that are not X509-SVIDs of this trust domain: cross-signed roots, and wrong ones. */
  get signer(): CertificateSigner {
    return this.#signer;
  }

  /** The roots, as PEM. */
  bundlePem(): string {
    return this.bundle.roots.map((root) => writePem("CERTIFICATE", root.der)).join("");
  }

  /** The key, as PEM (PKCS #8). Whoever has it can be anyone of the trust domain. */
  keyPem(): string {
    return this.#signer.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  }
}

function authorityName({ trustDomain, commonName = "development authority" }: AuthorityOptions): Buffer {
  return distinguishedName({ organization: trustDomain, commonName });
}

/** X509-SVID sections 2, 4.1 and 4.3: a signing certificate bears the trust domain's ID, and may sign certificates and revocation lists. */
function writeAuthority(
  options: AuthorityOptions,
  publicKey: KeyObject,
  signer: CertificateSigner,
  limits: { readonly pathLength?: number; readonly notAfterMs?: number } = {},
): Buffer {
  const { nowMs, lifetimeMs } = options;
  const { pathLength, notAfterMs = Number.POSITIVE_INFINITY } = limits;
  return writeCertificate(
    {
      subject: authorityName(options),
      publicKey,
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs: Math.min(nowMs + lifetimeMs, notAfterMs),
      uris: [`spiffe://${orThrow(parseTrustDomain(options.trustDomain))}`],
      isAuthority: true,
      ...(pathLength === undefined ? {} : { pathLength }),
      keyUsage: ["keyCertSign", "cRLSign"],
      extendedKeyUsage: null,
    },
    signer,
  );
}

function readKey(text: PemText): Reading<KeyObject> {
  const blocks = readPem(text);
  if (!blocks.ok) return blocks;
  const [block, second] = blocks.value.filter(({ label }) => label !== "EC PARAMETERS");
  const types: Readonly<Record<string, "pkcs8" | "sec1">> = { "PRIVATE KEY": "pkcs8", "EC PRIVATE KEY": "sec1" };
  const type = block === undefined ? undefined : types[block.label];
  if (block === undefined || second !== undefined || type === undefined)
    return refused(`${text.from}: expected one PRIVATE KEY or EC PRIVATE KEY, without a password`);
  try {
    const key = createPrivateKey({ key: block.der, format: "der", type });
    if (key.asymmetricKeyType === "ec" && createPublicKey(key).asymmetricKeyDetails?.namedCurve !== "secp256k1") return read(key);
    return refused(`${block.where}: a key of type ${key.asymmetricKeyType}, expected one on P-256, P-384 or P-521`);
  } catch {
    // OpenSSL's words help nobody, and are close to the key.
    return refused(`${block.where}: the ${block.label} cannot be read`);
  }
}

function trustDomainOf(certificate: ParsedCertificate): Reading<string> {
  const [uri, second] = certificate.uris;
  if (uri === undefined || second !== undefined)
    return refused(`the authority's certificate names ${certificate.uris.length} URIs, expected one: the ID of its trust domain`);
  const id = parseSpiffeId(uri);
  if (!id.ok) return id;
  return id.value.path === ""
    ? read(id.value.trustDomain)
    : refused(`the authority's certificate names ${id.value.text}, expected no path`);
}

function orThrow<Value>(reading: Reading<Value>): Value {
  if (!reading.ok) throw new TypeError(reading.reason);
  return reading.value;
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
