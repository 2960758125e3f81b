import { open, stat } from "node:fs/promises";
import { MAX_JWKS_BYTES, parseJwks, unusable } from "./terms/jwks.ts";

/** The file system as key sets see it. Both reject where there is no such file. */
export interface KeyFiles {
  /** Differs whenever the file may have changed. */
  stamp(path: string): Promise<string>;
  read(path: string): Promise<string>;
}

/** Whoever reports has said which file. */
function withoutSystemWords(error: unknown): never {
  throw (error as NodeJS.ErrnoException).code === "ENOENT" ? new Error("the file does not exist", { cause: error }) : error;
}

export const nodeKeyFiles: KeyFiles = {
  async stamp(path) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true }).catch(withoutSystemWords);
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

/** Why tokens cannot be verified with the keys of a file now; null: they can. */
export async function keyFileProblem(path: string): Promise<string | null> {
  try {
    await nodeKeyFiles.stamp(path);
    const ring = parseJwks(await nodeKeyFiles.read(path));
    return ring.ok ? unusable(ring.value) : ring.reason;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
