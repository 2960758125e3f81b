import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Reading, read, refused } from "@heddle/core";
import { Authority } from "./authority.ts";

/** Where an authority stays: `ca.crt` holds the roots that peers trust, `ca.key` the key of one of them, which signs. */
export interface AuthorityFolder {
  readonly path: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

export function authorityFolder(dir: string): AuthorityFolder {
  const path = resolve(dir);
  return { path, certificateFile: join(path, "ca.crt"), keyFile: join(path, "ca.key") };
}

/** Changes when one of the two files does. */
export function folderStamp({ certificateFile, keyFile }: AuthorityFolder): string {
  return [certificateFile, keyFile].map(fileStamp).join(" ");
}

function fileStamp(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (error) {
    // That it cannot be read is for who reads it to say; that it is otherwise than before shows here.
    return codeOf(error);
  }
}

/** The authority that stands there; null: neither of its files does. */
export function readAuthorityFolder(folder: AuthorityFolder): Reading<Authority | null> {
  const { certificateFile, keyFile } = folder;
  const roots = readFile(certificateFile);
  const key = readFile(keyFile);
  if (roots === null && key === null) return read(null);
  if (roots === null || key === null)
    return refused(`${roots === null ? certificateFile : keyFile} is missing, and ${roots === null ? keyFile : certificateFile} is there`);
  if (!roots.ok) return roots;
  if (!key.ok) return key;
  return Authority.read({ text: roots.value, from: certificateFile }, { text: key.value, from: keyFile });
}

/** Null: there is no such file. */
function readFile(path: string): Reading<string> | null {
  try {
    return read(readFileSync(path, "utf8"));
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" ? null : refused(`${path} cannot be read: ${code}`);
  }
}

/**
 * Writes an authority into a folder that does not exist or is empty, both files at once: of several processes that do so, one does, and
 * the others see what it wrote. False: it is there already, or something else is, which stays as it was.
 */
export function createAuthorityFolder(folder: AuthorityFolder, authority: Authority): Reading<boolean> {
  const parent = dirname(folder.path);
  let draft: string | null = null;
  try {
    mkdirSync(parent, { recursive: true });
    draft = mkdtempSync(join(parent, ".ca-"));
    writeFileSync(join(draft, "ca.crt"), authority.bundlePem(), { mode: 0o644 });
    writeFileSync(join(draft, "ca.key"), authority.keyPem(), { mode: 0o600 });
    // The key must not get into a repository by `git add .`.
    writeFileSync(join(draft, ".gitignore"), "*\n");
    // Puts both in their place in one step, and fails where a folder with something in it stands.
    renameSync(draft, folder.path);
    return read(true);
  } catch (error) {
    if (draft !== null) rmSync(draft, { recursive: true, force: true });
    return hasEntries(folder.path) ? read(false) : refused(`${folder.path} cannot be written: ${codeOf(error)}`);
  }
}

function hasEntries(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch {
    // What cannot be listed is no folder with something in it.
    return false;
  }
}

export interface EnsureOptions {
  /** Null: whichever it has; a new one is for `newTrustDomain`. */
  readonly trustDomain: string | null;
  readonly newTrustDomain: string;
  readonly nowMs: number;
  /** Of a new one. */
  readonly lifetimeMs: number;
}

/** The authority that stands in the folder, made first where there is none. */
export function ensureAuthority(
  folder: AuthorityFolder,
  options: EnsureOptions,
): Reading<{ readonly authority: Authority; readonly isNew: boolean }> {
  const found = readAuthorityFolder(folder);
  if (!found.ok) return found;
  let isNew = false;
  let authority = found.value;
  if (authority === null) {
    const { nowMs, lifetimeMs } = options;
    const made = createAuthorityFolder(
      folder,
      Authority.create({ trustDomain: options.trustDomain ?? options.newTrustDomain, nowMs, lifetimeMs }),
    );
    if (!made.ok) return made;
    isNew = made.value;
    const standing = readAuthorityFolder(folder);
    if (!standing.ok) return standing;
    authority = standing.value;
  }
  if (authority === null)
    return refused(`${folder.path} holds files and neither ca.crt nor ca.key; expected an authority, or a folder that is empty or missing`);
  if (options.trustDomain !== null && authority.trustDomain !== options.trustDomain)
    return refused(`the authority in ${folder.path} is of ${authority.trustDomain}, expected ${options.trustDomain}`);
  return read({ authority, isNew });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
