import { checkKeys } from "../option-keys.ts";
import { parseTrustDomain } from "./names/spiffe-id.ts";

/** Certificate, key and roots in files of their own, as cert-manager, Istio's agent and the SPIFFE helper write them. */
export interface SeparateCertificateFiles {
  /** The certificate and its issuers, the leaf first, as PEM. */
  readonly cert: string;
  /** Its private key as PEM, without a password: PKCS#8, SEC1 or PKCS#1. It may be the same file. */
  readonly key: string;
  /** The roots of the certificate's own trust domain as PEM; or such a file for each trust domain, by its name, its own among them. */
  readonly bundle: string | Readonly<Record<string, string>>;
}

/** Certificate and key in one file. */
export interface OneCertificateFile {
  /** The certificate, its issuers and its key as PEM, the key anywhere among them. */
  readonly pem: string;
  /** As in {@link SeparateCertificateFiles}. Default: the self-signed certificates in `pem`, for its own trust domain. */
  readonly bundle?: string | Readonly<Record<string, string>>;
}

export type IdentityFilesOptions = SeparateCertificateFiles | OneCertificateFile;

/** Which files make a set, and what each is for. */
export interface CertificateFileSet {
  readonly certificate: string;
  readonly key: string;
  /** Of the certificate's own trust domain, or by trust domain. Null: the roots stand beside the certificate. */
  readonly bundle: string | ReadonlyMap<string, string> | null;
  /** Without duplicates, and what each has to hold, for people. */
  readonly contents: ReadonlyMap<string, string>;
}

const WHERE = "identity.files";

/** Throws TypeError for what no file could make right. */
export function certificateFileSet(options: IdentityFilesOptions): CertificateFileSet {
  if (typeof options !== "object" || options === null)
    throw new TypeError(`${WHERE}: found a value of type ${typeof options}, expected { cert, key, bundle } or { pem }`);
  const given: Readonly<Record<string, unknown>> = { ...options };
  if ("pem" in given) {
    checkKeys(given, ["pem", "bundle"], `${WHERE} with pem`);
    const pem = pathOption(given, "pem");
    return fileSet(pem, pem, given.bundle === undefined ? null : bundleOption(given.bundle));
  }
  checkKeys(given, ["cert", "key", "bundle", "pem"], WHERE);
  return fileSet(pathOption(given, "cert"), pathOption(given, "key"), bundleOption(given.bundle));
}

function fileSet(certificate: string, key: string, bundle: CertificateFileSet["bundle"]): CertificateFileSet {
  const contents = new Map<string, string>();
  if (typeof bundle === "string") contents.set(bundle, "the roots of the trust domain");
  else for (const [trustDomain, path] of bundle ?? []) contents.set(path, `the roots of ${trustDomain}`);
  contents.set(key, "the private key");
  contents.set(certificate, key === certificate ? "the certificate and its private key" : "the certificate");
  return { certificate, key, bundle, contents };
}

function pathOption(given: Readonly<Record<string, unknown>>, name: string): string {
  return pathOf(given[name], `${WHERE}: ${name}`);
}

function bundleOption(given: unknown): string | ReadonlyMap<string, string> {
  if (typeof given !== "object" || given === null) return pathOf(given, `${WHERE}: bundle`);
  const paths = new Map<string, string>();
  for (const [name, path] of Object.entries(given)) {
    const trustDomain = parseTrustDomain(name);
    if (!trustDomain.ok) throw new TypeError(`${WHERE}: bundle: ${trustDomain.reason}`);
    if (paths.has(trustDomain.value)) throw new TypeError(`${WHERE}: bundle names ${trustDomain.value} twice, expected one file for each`);
    paths.set(trustDomain.value, pathOf(path, `${WHERE}: bundle of ${trustDomain.value}`));
  }
  if (paths.size === 0) throw new TypeError(`${WHERE}: bundle names no trust domain, expected at least that of the certificate`);
  return paths;
}

/** What was given is never shown: it may be the key itself, by mistake. */
function pathOf(given: unknown, where: string): string {
  const expected = "expected the path of a file";
  if (typeof given !== "string")
    throw new TypeError(`${where}: found ${given === null ? "null" : `a value of type ${typeof given}`}, ${expected}`);
  if (given === "") throw new TypeError(`${where}: found an empty text, ${expected}`);
  if (/-----BEGIN|[\n\r\0]/.test(given)) throw new TypeError(`${where}: found what is no path, such as the content of a file, ${expected}`);
  return given;
}
