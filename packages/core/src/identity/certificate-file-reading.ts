import { createHash } from "node:crypto";
import type { FileAccess, FileReading } from "../file-access.ts";
import { type Reading, read, refused } from "./names/reading.ts";

/** What stood in all files of a set at one moment. */
export interface FileSetReading {
  readonly byPath: ReadonlyMap<string, FileReading>;
  /** Differs whenever something in it does. Kept in the place of the content, which holds a key. */
  readonly digest: string;
}

/** Whoever replaces files is done in a moment; the next event finds what came after. */
const MOST_READINGS = 5;

/**
 * Reads several files as they were at one moment: what changed between the first and the last, as when Kubernetes turns its link to
 * another directory, is read again. Refuses what keeps changing.
 */
export function readTogether(paths: readonly string[], files: FileAccess): Reading<FileSetReading> {
  for (let round = 0; round < MOST_READINGS; round++) {
    const before = paths.map((path) => files.stamp(path));
    const byPath = new Map(paths.map((path) => [path, files.read(path)]));
    if (paths.every((path, index) => files.stamp(path) === before[index])) return read({ byPath, digest: digestOf(byPath) });
  }
  return refused("the files change faster than they can be read, expected all to stay the same for a moment");
}

function digestOf(byPath: ReadonlyMap<string, FileReading>): string {
  return createHash("sha256")
    .update(JSON.stringify([...byPath]))
    .digest("hex");
}
