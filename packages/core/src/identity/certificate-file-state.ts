import { readCertificate } from "./certificate.ts";
import type { FileSetReading } from "./certificate-file-reading.ts";
import { splitRoots } from "./certificate-file-roots.ts";
import type { CertificateFileSet } from "./certificate-files-options.ts";
import type { CertificateState } from "./certificate-source.ts";
import { certificateState } from "./certificate-state.ts";
import { type Reading, read, refused } from "./names/reading.ts";
import type { PemText } from "./pem.ts";
import { readTrustBundle, type TrustBundle } from "./trust-bundles.ts";

/** Something of a set that cannot be used, and in which file. */
export interface FileProblem {
  readonly where: string;
  readonly message: string;
}

export type StateReading = { readonly ok: true; readonly value: CertificateState } | { readonly ok: false; readonly problem: FileProblem };

/** What a set of files says, or the first thing that is wrong with it. What is as in `previous` is the same object. */
export function stateOfFiles(
  set: CertificateFileSet,
  reading: FileSetReading,
  nowMs: number,
  previous: CertificateState | undefined,
): StateReading {
  const unread = unreadProblem(set, reading);
  if (unread !== null) return { ok: false, problem: unread };
  const state = readState(set, (path) => textOf(reading, path), nowMs, previous);
  return state.ok ? state : { ok: false, problem: located(set, state.reason) };
}

function unreadProblem({ contents }: CertificateFileSet, { byPath }: FileSetReading): FileProblem | null {
  for (const [path, content] of contents) {
    const file = byPath.get(path);
    if (file === undefined || file.kind === "missing")
      return { where: path, message: `the file does not exist, expected ${content} as PEM` };
    if (file.kind === "unreadable") return { where: path, message: `the file cannot be read: ${file.why}; expected ${content} as PEM` };
  }
  return null;
}

function textOf({ byPath }: FileSetReading, path: string): PemText {
  const file = byPath.get(path);
  return { text: file?.kind === "text" ? file.text : "", from: path };
}

function readState(
  set: CertificateFileSet,
  text: (path: string) => PemText,
  nowMs: number,
  previous: CertificateState | undefined,
): Reading<CertificateState> {
  const parts = set.bundle === null ? splitRoots(text(set.certificate)) : null;
  if (parts?.ok === false) return parts;
  const own = parts === null ? [...new Set([set.certificate, set.key])].map(text) : [parts.value.rest];
  const certificate = readCertificate(own, nowMs);
  if (!certificate.ok) return certificate;
  const { trustDomain } = certificate.value.id;
  const bundles = parts === null ? readBundles(set.bundle, trustDomain, text) : readOwnRoots(trustDomain, parts.value.roots);
  if (!bundles.ok) return bundles;
  return certificateState(certificate.value, bundles.value, previous ?? null, nowMs);
}

function readBundles(bundle: CertificateFileSet["bundle"], own: string, text: (path: string) => PemText): Reading<readonly TrustBundle[]> {
  const paths = typeof bundle === "string" ? new Map([[own, bundle]]) : (bundle ?? new Map<string, string>());
  if (!paths.has(own))
    return refused(
      `there is no bundle of ${own}, the certificate's own trust domain; found those of ${[...paths.keys()].join(", ")}, expected its own too`,
    );
  const bundles: TrustBundle[] = [];
  for (const [trustDomain, path] of paths) {
    const read = readTrustBundle(trustDomain, [text(path)]);
    if (!read.ok) return read;
    bundles.push(read.value);
  }
  return read(bundles);
}

function readOwnRoots(trustDomain: string, roots: PemText): Reading<readonly TrustBundle[]> {
  if (!roots.text.includes("-----"))
    return refused(`${roots.from} holds no root, expected the self-signed certificates of ${trustDomain} in it, or the option bundle`);
  const bundle = readTrustBundle(trustDomain, [roots]);
  return bundle.ok ? read([bundle.value]) : bundle;
}

/** Most reasons begin with the file and its line. */
function located({ certificate, contents }: CertificateFileSet, reason: string): FileProblem {
  for (const path of contents.keys()) {
    const line = reason.startsWith(`${path}:`) ? /^:\d+(?=: )/.exec(reason.slice(path.length)) : null;
    if (line !== null) return { where: `${path}${line[0]}`, message: reason.slice(path.length + line[0].length + 2) };
  }
  return { where: certificate, message: reason };
}
