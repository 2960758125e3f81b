import { createHash } from "node:crypto";
import { type CertificateWish, type IssuedCertificate, leaf, root } from "./authority.ts";

const DAY = 86_400_000;

/** What an authority has issued for one workload: certificate, key and roots, which belong together. */
export interface IssuedSet {
  readonly certificate: IssuedCertificate;
  readonly root: IssuedCertificate;
  readonly fingerprint: string;
}

/** Issues sets around a moment: those of {@link rotate} by the same root, those of {@link replaceRoot} by another. */
export interface SetIssuer {
  readonly current: IssuedSet;
  rotate(wish?: CertificateWish): IssuedSet;
  replaceRoot(): IssuedSet;
}

export function setIssuer(nowMs: number, id = "spiffe://shop.example/web"): SetIssuer {
  const life = { notBeforeMs: nowMs - DAY, notAfterMs: nowMs + DAY };
  let authority = root("root of the test", life);
  const issue = (wish: CertificateWish = {}): IssuedSet => {
    const certificate = leaf(authority, id, { ...life, ...wish });
    return { certificate, root: authority, fingerprint: createHash("sha256").update(certificate.der).digest("hex") };
  };
  let current = issue();
  return {
    get current() {
      return current;
    },
    rotate(wish) {
      current = issue(wish);
      return current;
    },
    replaceRoot() {
      authority = root("another root of the test", life);
      current = issue();
      return current;
    },
  };
}
