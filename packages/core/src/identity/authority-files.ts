import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { MeshError } from "../errors.ts";
import type { TlsSettings } from "../model/backend.ts";
import type { Problem } from "../model/problem.ts";
import { type Reading, read, refused } from "./names/reading.ts";
import { pemOf, readPem } from "./pem.ts";
import { PROTOCOL_BOUNDS } from "./secure-contexts.ts";

interface AuthorityFile {
  /** What it was when it was read last, good or bad. */
  version: string;
  /** The last that was good. */
  context: SecureContext | null;
  problem: string | null;
}

/** Files that are remembered; those of configurations long gone are forgotten. */
const MAX_FILES = 100;

/**
 * Secure contexts to verify servers outside of the mesh with, made once and shared. A file is read again when another one stands in its
 * place or it was written to, which is looked at for each connection; what is bad then is reported, and the last good stays.
 */
export class AuthorityFiles {
  readonly #report: (problem: Problem) => void;
  readonly #files = new Map<string, AuthorityFile>();
  #system: SecureContext | null = null;

  constructor(report: (problem: Problem) => void) {
    this.#report = report;
  }

  /** Throws a MeshError `connect_failed` where the file was never good. */
  context(authorities: TlsSettings["authorities"]): SecureContext {
    if (authorities.kind === "file") return this.#fromFile(authorities.path);
    this.#system ??= createSecureContext(PROTOCOL_BOUNDS);
    return this.#system;
  }

  #fromFile(path: string): SecureContext {
    const file = this.#files.get(path) ?? { version: "", context: null, problem: null };
    this.#files.set(path, file);
    if (this.#files.size > MAX_FILES) for (const [oldest] of this.#files) if (this.#files.delete(oldest)) break;
    // Before it is read: what is written in between is then found by the next connection.
    const version = versionOf(path);
    if (version !== file.version) {
      file.version = version;
      this.#reread(path, file);
    }
    if (file.context !== null) return file.context;
    throw new MeshError("connect_failed", `no authorities to verify the server by: ${file.problem}`);
  }

  #reread(path: string, file: AuthorityFile): void {
    const made = readAuthorities(path);
    if (made.ok) {
      file.context = createSecureContext({ ...PROTOCOL_BOUNDS, ca: [...made.value], allowPartialTrustChain: true });
      file.problem = null;
      return;
    }
    if (file.problem === made.reason) return;
    file.problem = made.reason;
    const now = file.context === null ? "no connection that needs it is made" : "the last good ones stay in force";
    this.#report({ where: path, message: `${made.reason}; ${now}`, severity: "error" });
  }
}

function versionOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? "missing" : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

function readAuthorities(path: string): Reading<readonly string[]> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return refused(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const blocks = readPem({ text, from: path });
  if (!blocks.ok) return blocks;
  if (blocks.value.length === 0) return refused(`${path} holds no certificate, expected those of authorities as PEM`);
  for (const { label, der, where } of blocks.value) {
    if (label !== "CERTIFICATE") return refused(`${where}: found ${label}, expected certificates of authorities alone`);
    try {
      new X509Certificate(der);
    } catch {
      // OpenSSL's words for what it cannot read name its own source lines.
      return refused(`${where}: is no X.509 certificate`);
    }
  }
  return read(blocks.value.map(({ der }) => pemOf("CERTIFICATE", der)));
}
