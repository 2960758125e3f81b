import { realpathSync, statSync } from "node:fs";
import { dirname, sep } from "node:path";
import { type FileAccess, nodeFiles } from "../file-access.ts";

/** The file system as a certificate source sees it. */
export interface CertificateFileAccess extends FileAccess {
  /** The mode of a file that every user of the machine may read; null where that cannot be said or is meant to be. */
  exposedMode(path: string): number | null;
}

export const nodeCertificateFiles: CertificateFileAccess = {
  ...nodeFiles,
  exposedMode(path) {
    // Windows has no such modes: each file is said to be everybody's.
    if (process.platform === "win32") return null;
    try {
      const file = realpathSync(path);
      const { mode } = statSync(file);
      if ((mode & 0o004) === 0 || isProjected(file)) return null;
      for (let folder = dirname(file); ; folder = dirname(folder)) {
        if ((statSync(folder).mode & 0o001) === 0) return null;
        if (folder === dirname(folder)) return mode & 0o777;
      }
    } catch {
      return null; // It was replaced meanwhile, and is looked at again with the next certificate.
    }
  },
};

/**
 * Kubernetes mounts Secrets so that all may read them, unless it is told otherwise, into the memory of one container: there is nobody to
 * warn of. Its files stand in `..2026_01_15_12_00_00.123456789`.
 */
function isProjected(file: string): boolean {
  return file.split(sep).some((step) => step.startsWith("..") && step.length > 2);
}
