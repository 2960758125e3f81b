import { open, stat } from "node:fs/promises";
import { MAX_JWKS_BYTES } from "./terms/jwks.ts";

/** The file system as key sets see it. Both reject where there is no such file. */
export interface KeyFiles {
  /** Differs whenever the file may have changed. */
  stamp(path: string): Promise<string>;
  read(path: string): Promise<string>;
}

export const nodeKeyFiles: KeyFiles = {
  async stamp(path) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  },
  async read(path) {
    // Asked before it is opened: opening a pipe could wait for ever.
    if (!(await stat(path)).isFile()) throw new Error("it is not a file");
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > MAX_JWKS_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_JWKS_BYTES}`);
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  },
};
