import { authorityProblem, isNamedAsIssuer, type Purpose, purposeProblem, signatureProblem, validityProblem } from "./issuing.ts";
import { describeCertificate, nameText, type ParsedCertificate } from "./x509.ts";

export interface PathQuestion {
  readonly leaf: ParsedCertificate;
  /** What the peer presented behind its leaf, in any order. */
  readonly intermediates: readonly ParsedCertificate[];
  readonly roots: readonly ParsedCertificate[];
  readonly nowMs: number;
  readonly purpose: Purpose;
}

export interface TrustPath {
  /** From the issuer of the leaf to the root. */
  readonly issuers: readonly ParsedCertificate[];
  /** When all of it is valid at once. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type PathAnswer = { readonly found: TrustPath } | { readonly found: null; readonly reasons: readonly string[] };

interface Step {
  readonly certificate: ParsedCertificate;
  readonly issuersSoFar: readonly ParsedCertificate[];
}

/**
 * A path from the leaf over presented intermediates to one of the roots, each link checked (RFC 5280 section 6.1). Breadth first, and
 * each intermediate at most once: the first time is the one with the fewest below it, so path lengths that fail then fail always, and
 * n intermediates cost at most n * (n + roots of the right name) signature checks however they are named. Self-issued intermediates
 * count against path lengths, which is stricter than the RFC.
 */
export function findTrustPath({ leaf, intermediates, roots, nowMs, purpose }: PathQuestion): PathAnswer {
  const reasons: string[] = [];
  const unvisited = new Set(intermediates);
  const steps: Step[] = [{ certificate: leaf, issuersSoFar: [] }];
  const accepts = (issuer: ParsedCertificate, { certificate, issuersSoFar }: Step): boolean => {
    if (!isNamedAsIssuer(certificate, issuer)) return false;
    const problem =
      validityProblem(issuer, nowMs) ??
      authorityProblem(issuer, issuersSoFar.length) ??
      purposeProblem(issuer, purpose) ??
      signatureProblem(certificate, issuer);
    if (problem !== null) reasons.push(`${describeCertificate(issuer)} ${problem}`);
    return problem === null;
  };
  for (const step of steps) {
    const root = roots.find((candidate) => accepts(candidate, step));
    if (root !== undefined) return { found: pathOf(leaf, [...step.issuersSoFar, root]) };
    const next = [...unvisited].filter((candidate) => accepts(candidate, step));
    for (const issuer of next) {
      unvisited.delete(issuer);
      steps.push({ certificate: issuer, issuersSoFar: [...step.issuersSoFar, issuer] });
    }
    if (next.length === 0 && reasons.length === 0)
      reasons.push(
        `no root and no presented certificate is ${nameText(step.certificate, "issuer")}, the issuer of ${describeCertificate(step.certificate)}`,
      );
  }
  return { found: null, reasons };
}

function pathOf(leaf: ParsedCertificate, issuers: readonly ParsedCertificate[]): TrustPath {
  const all = [leaf, ...issuers];
  return {
    issuers,
    notBeforeMs: Math.max(...all.map((certificate) => certificate.notBeforeMs)),
    notAfterMs: Math.min(...all.map((certificate) => certificate.notAfterMs)),
  };
}
