import { nearest, type SpiffeId } from "@heddle/core";
import {
  Authority,
  type CertificateContent,
  type CertificateSigner,
  distinguishedName,
  type KeyPair,
  newKeyPair,
  writeCertificate,
} from "@heddle/spiffe";
import { TestCertificate } from "./test-certificate.ts";

const HOUR_MS = 3_600_000;

/** The names of what may be wrong with a certificate. */
export type WrongCertificate =
  | "expired"
  | "not-yet-valid"
  | "two-ids"
  | "no-id"
  | "dns-name-alone"
  | "id-of-trust-domain"
  | "malformed-id"
  | "other-trust-domain"
  | "authority"
  | "signs-certificates"
  | "no-key-usage"
  | "no-digital-signature"
  | "other-purpose"
  | "server-alone"
  | "client-alone"
  | "weak-signature"
  | "foreign-authority"
  | "forged"
  | "self-signed"
  | "signed-by-leaf"
  | "path-too-long"
  | "expired-intermediate"
  | "missing-intermediate"
  | "wrong-key";

/** What a wrong certificate is made of. */
export interface WrongOrder {
  /** Whom it pretends to be. */
  readonly id: SpiffeId;
  /** Whom peers trust. */
  readonly authority: Authority;
  readonly nowMs: number;
}

interface WrongKind {
  /** What is wrong with it, for people. */
  readonly about: string;
  /** Which side may not present it; null: neither. */
  readonly wrongAs: "client" | "server" | null;
  make(order: WrongOrder, keys: KeyPair): readonly [Buffer, ...Buffer[]];
}

type Change = (order: WrongOrder) => Partial<CertificateContent>;

/** A leaf by the trusted authority, with something changed. */
function changed(about: string, change: Change, wrongAs: WrongKind["wrongAs"] = null): WrongKind {
  return { about, wrongAs, make: (order, keys) => [leaf(order, keys, change(order))] };
}

function leaf(order: WrongOrder, { publicKey }: KeyPair, change: Partial<CertificateContent>, signer?: CertificateSigner): Buffer {
  const { id, nowMs, authority } = order;
  return writeCertificate(
    {
      subject: distinguishedName({}),
      publicKey,
      notBeforeMs: nowMs - HOUR_MS,
      notAfterMs: nowMs + HOUR_MS,
      uris: [id.text],
      isAuthority: false,
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["serverAuth", "clientAuth"],
      ...change,
    },
    signer ?? authority.signer,
  );
}

function intermediate(order: WrongOrder, keys: KeyPair, commonName: string, change: Partial<CertificateContent>, by?: CertificateSigner) {
  const name = distinguishedName({ organization: order.authority.trustDomain, commonName });
  const authority = { isAuthority: true, subject: name, extendedKeyUsage: null, keyUsage: ["keyCertSign", "cRLSign"] } as const;
  const der = leaf(order, keys, { ...authority, uris: [`spiffe://${order.authority.trustDomain}`], ...change }, by);
  return { der, signer: { ...keys, name } };
}

const KINDS: Readonly<Record<WrongCertificate, WrongKind>> = {
  expired: changed("its life ended a second ago", ({ nowMs }) => ({ notAfterMs: nowMs - 1_000 })),
  "not-yet-valid": changed("its life begins in a minute", ({ nowMs }) => ({ notBeforeMs: nowMs + 60_000 })),
  "two-ids": changed("it names two URIs", ({ id }) => ({ uris: [id.text, `${id.text}-too`] })),
  "no-id": changed("it names nobody", () => ({ uris: [] })),
  "dns-name-alone": changed("it names a DNS name and no URI", () => ({ uris: [], dnsNames: ["localhost"] })),
  "id-of-trust-domain": changed("its ID has no path", ({ id }) => ({ uris: [`spiffe://${id.trustDomain}`] })),
  "malformed-id": changed("its ID steps back with a segment of two dots", ({ id }) => ({
    uris: [`spiffe://${id.trustDomain}/x/..${id.path}`],
  })),
  "other-trust-domain": changed("its ID is of another trust domain, by the authority of ours", ({ id }) => ({
    uris: [`spiffe://other.test${id.path}`],
  })),
  authority: changed("it is an authority (CA:TRUE)", () => ({ isAuthority: true })),
  "signs-certificates": changed("its key usage has keyCertSign", () => ({ keyUsage: ["digitalSignature", "keyCertSign"] })),
  "no-key-usage": changed("it has no key usage", () => ({ keyUsage: null })),
  "no-digital-signature": changed("its key usage is key agreement alone", () => ({ keyUsage: ["keyAgreement"] })),
  "other-purpose": changed("it is for signing code", () => ({ extendedKeyUsage: ["codeSigning"] })),
  "server-alone": changed("it is for servers, and no client's", () => ({ extendedKeyUsage: ["serverAuth"] }), "client"),
  "client-alone": changed("it is for clients, and no server's", () => ({ extendedKeyUsage: ["clientAuth"] }), "server"),
  "weak-signature": changed("it is signed with SHA-1", () => ({ hash: "sha1" })),
  "foreign-authority": {
    about: "it is by an authority of the same trust domain's name that nobody trusts",
    wrongAs: null,
    make: (order, keys) => [leaf(order, keys, {}, stranger(order).signer)],
  },
  forged: {
    about: "it names the trusted authority as its issuer, and another key signed it",
    wrongAs: null,
    make: (order, keys) => [leaf(order, keys, {}, { ...order.authority.signer, privateKey: newKeyPair().privateKey })],
  },
  "self-signed": {
    about: "it signed itself",
    wrongAs: null,
    make(order, keys) {
      const subject = distinguishedName({ commonName: order.id.path.slice(1) });
      return [leaf(order, keys, { subject }, { ...keys, name: subject })];
    },
  },
  "signed-by-leaf": {
    about: "the certificate of another service, which is no authority, signed it",
    wrongAs: null,
    make(order, keys) {
      const middle = newKeyPair();
      const name = distinguishedName({ commonName: "a service" });
      const other = leaf(order, middle, { subject: name, uris: [`spiffe://${order.id.trustDomain}/other`] });
      return [leaf(order, keys, {}, { ...middle, name }), other];
    },
  },
  "path-too-long": {
    about: "two authorities are between it and the root, whose first may have none below it",
    wrongAs: null,
    make(order, keys) {
      const first = intermediate(order, newKeyPair(), "first", { pathLength: 0 });
      const second = intermediate(order, newKeyPair(), "second", {}, first.signer);
      return [leaf(order, keys, {}, second.signer), second.der, first.der];
    },
  },
  "expired-intermediate": {
    about: "the authority between it and the root has expired",
    wrongAs: null,
    make(order, keys) {
      const middle = intermediate(order, newKeyPair(), "expired", { notAfterMs: order.nowMs - 1_000 });
      return [leaf(order, keys, {}, middle.signer), middle.der];
    },
  },
  "missing-intermediate": {
    about: "it does not present the authority between it and the root",
    wrongAs: null,
    make: (order, keys) => [leaf(order, keys, {}, intermediate(order, newKeyPair(), "missing", {}).signer)],
  },
  "wrong-key": {
    about: "the key beside it is another's; node:tls refuses to use the two together",
    wrongAs: null,
    make: (order) => [leaf(order, newKeyPair(), {})],
  },
};

/** Everything that may be wrong with a certificate: what that is, and which side may not present it (null: neither). */
export const WRONG_CERTIFICATES: Readonly<Record<WrongCertificate, Pick<WrongKind, "about" | "wrongAs">>> = KINDS;

/** Throws TypeError for a kind that there is not. */
export function wrongCertificate(kind: WrongCertificate, order: WrongOrder): TestCertificate {
  if (!Object.hasOwn(KINDS, kind)) {
    const meant = nearest(String(kind), Object.keys(KINDS));
    const suggestion = meant === null ? "" : `did you mean ${JSON.stringify(meant)}? `;
    throw new TypeError(
      `authority.wrong: no certificate is wrong as ${JSON.stringify(kind)}; ${suggestion}there are ${Object.keys(KINDS).join(", ")}`,
    );
  }
  const keys = newKeyPair();
  return new TestCertificate(order.id, KINDS[kind].make(order, keys), keys.privateKey);
}

function stranger({ authority, nowMs }: WrongOrder): Authority {
  return Authority.create({ trustDomain: authority.trustDomain, nowMs, lifetimeMs: 24 * HOUR_MS });
}
