import { createHash } from "node:crypto";
import { authorityProblem, validityProblem } from "./issuing.ts";
import { type Reading, read, refused } from "./names/reading.ts";
import { parseTrustDomain } from "./names/spiffe-id.ts";
import { type PemText, readPem } from "./pem.ts";
import { describeCertificate, type ParsedCertificate, parseCertificate, splitCertificates } from "./x509.ts";

/** The roots of one trust domain. Never empty: who trusts nobody of a domain has no bundle of it. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Without duplicates, in the order they were given. */
  readonly roots: readonly ParsedCertificate[];
  /** The same for the same roots, in whatever order. */
  readonly version: string;
}

/** Whom to trust for which trust domain, at one moment. Immutable; unchanged content is the same object. */
export interface TrustBundles {
  readonly byTrustDomain: ReadonlyMap<string, TrustBundle>;
  readonly version: string;
}

/**
 * Reads the roots of a trust domain from one or several PEM texts. Text without a certificate is a mistake and not a bundle that trusts
 * nobody, and a private key among them is one too: it is another file. Expired roots are read, see {@link expiredRoots}: they verify
 * nothing, and the others stand.
 */
export function readTrustBundle(trustDomain: string, texts: readonly PemText[]): Reading<TrustBundle> {
  const found: { readonly der: Uint8Array; readonly where: string }[] = [];
  for (const text of texts) {
    const blocks = readPem(text);
    if (!blocks.ok) return blocks;
    const other = blocks.value.find((block) => block.label !== "CERTIFICATE");
    if (other !== undefined) return refused(`${other.where}: found ${other.label}, expected a bundle to hold certificates alone`);
    if (blocks.value.length === 0) return refused(`${text.from} holds no certificate, expected the roots of a trust domain as PEM`);
    found.push(...blocks.value);
  }
  return bundleOf(trustDomain, found);
}

/** The same from DER certificates one behind the other, as the Workload API sends them. */
export function trustBundleFromDer(trustDomain: string, concatenated: Uint8Array, from: string): Reading<TrustBundle> {
  const parts = splitCertificates(concatenated);
  if (!parts.ok) return refused(`${from}: ${parts.reason}`);
  return bundleOf(
    trustDomain,
    parts.value.map((der, index) => ({ der, where: `certificate ${index + 1} of ${from}` })),
  );
}

function bundleOf(given: string, found: readonly { readonly der: Uint8Array; readonly where: string }[]): Reading<TrustBundle> {
  const trustDomain = parseTrustDomain(given);
  if (!trustDomain.ok) return trustDomain;
  const roots = new Map<string, ParsedCertificate>();
  for (const { der, where } of found) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return refused(`${where}: ${certificate.reason}`);
    // X509-SVID section 3.2: what signs is an authority.
    const problem = authorityProblem(certificate.value, 0);
    if (problem !== null) return refused(`${where}: ${describeCertificate(certificate.value)} ${problem}, expected a root`);
    roots.set(certificate.value.fingerprint, certificate.value);
  }
  return roots.size === 0
    ? refused(`the bundle of ${trustDomain.value} has no certificate`)
    : read(bundle(trustDomain.value, [...roots.values()]));
}

function bundle(trustDomain: string, roots: readonly ParsedCertificate[]): TrustBundle {
  return { trustDomain, roots, version: digest([trustDomain, ...roots.map((root) => root.fingerprint).sort()]) };
}

/** What can no longer, or cannot yet, verify anything, in words. */
export function expiredRoots({ roots, trustDomain }: TrustBundle, nowMs: number): readonly string[] {
  return roots.flatMap((root) => {
    const problem = validityProblem(root, nowMs);
    return problem === null ? [] : [`root ${describeCertificate(root)} of trust domain ${trustDomain} ${problem}`];
  });
}

/**
 * Puts bundles together. Two of one trust domain are joined: during a change of roots the old and the new come from different files.
 * What `previous` had with the same roots stays the same object, down to `previous` itself.
 */
export function trustBundles(bundles: Iterable<TrustBundle>, previous?: TrustBundles): TrustBundles {
  const byTrustDomain = new Map<string, TrustBundle>();
  for (const given of bundles) {
    const other = byTrustDomain.get(given.trustDomain);
    const joined = other === undefined ? given : joinBundles(other, given);
    const before = previous?.byTrustDomain.get(given.trustDomain);
    byTrustDomain.set(given.trustDomain, before?.version === joined.version ? before : joined);
  }
  const version = digest([...byTrustDomain.values()].map((each) => each.version).sort());
  return previous?.version === version ? previous : { byTrustDomain, version };
}

function joinBundles(one: TrustBundle, other: TrustBundle): TrustBundle {
  const roots = new Map([...one.roots, ...other.roots].map((root) => [root.fingerprint, root]));
  return bundle(one.trustDomain, [...roots.values()]);
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}
