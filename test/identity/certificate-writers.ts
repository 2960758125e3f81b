import { chmodSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files of a set, by name. */
export type Texts = Readonly<Record<string, string>>;

/** Puts files where a source reads them, in the way of those who do it in earnest. */
export type WriteFiles = (folder: string, texts: Texts) => void;

/**
 * As the kubelet mounts a Secret or ConfigMap, and the CSI driver of cert-manager a certificate: a new directory beside the old one, and
 * a link renamed over the link to the old one, so that all change at once. The old directory goes.
 */
export function mountAsKubernetes(folder: string, texts: Texts): void {
  const before = linkTarget(join(folder, "..data"));
  const version = `..2026_01_15_12_00_00.${String(Number(before?.split(".").at(-1) ?? 0) + 1).padStart(9, "0")}`;
  mkdirSync(join(folder, version));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, version, name), text, { mode: 0o644 });
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  if (before === null) for (const name of Object.keys(texts)) symlinkSync(join("..data", name), join(folder, name));
  else rmSync(join(folder, before), { recursive: true });
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // The first time there is none.
  }
}

/** One after the other, each whole at once: `mv tls.key.new tls.key`. */
export function renameOver(folder: string, texts: Texts): void {
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}

/** One after the other, into the files that are there. */
export function writeInPlace(folder: string, texts: Texts): void {
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}

/** Everybody may look into it, unlike a folder that mkdtemp makes. */
export function openFolder(folder: string): void {
  chmodSync(folder, 0o755);
}
