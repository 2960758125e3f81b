import { type FSWatcher, readFileSync, realpathSync, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";

export type FileReading =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; readonly why: string };

/** The file system as a file source sees it; apart from it, so that what it decides can be tested in virtual time. */
export interface FileAccess {
  read(path: string): FileReading;
  /** Differs whenever the file may have changed. Cheaper than reading. */
  stamp(path: string): string;
  /** Calls back when something happened to the file, now and then when nothing did. */
  watch(path: string, onEvent: () => void): FileWatch;
}

export interface FileWatch {
  /** False where the system cannot watch: looking now and then has to do. */
  readonly isWatching: boolean;
  /** Follows links and directories that were replaced since. */
  refresh(): void;
  close(): void;
}

/** Larger files are no configuration. */
const MAX_BYTES = 64 * 1024 * 1024;

export const nodeFiles: FileAccess = {
  read(path) {
    try {
      const stats = statSync(path);
      // Reading a pipe or a device could wait for ever.
      if (!stats.isFile()) return { kind: "unreadable", why: "it is not a file" };
      if (stats.size > MAX_BYTES) return { kind: "unreadable", why: `it has ${stats.size} bytes, more than ${MAX_BYTES}` };
      return { kind: "text", text: readFileSync(path, "utf8") };
    } catch (error) {
      return isMissing(error) ? { kind: "missing" } : { kind: "unreadable", why: error instanceof Error ? error.message : String(error) };
    }
  },
  stamp(path) {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(":");
    } catch (error) {
      return isMissing(error) ? "missing" : "unreadable";
    }
  },
  watch: (path, onEvent) => new DirectoryWatch(path, onEvent),
};

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * Watches the directories a file's name and its target stand in: a watch on the file itself ends when an editor replaces it by renaming.
 * Kubernetes changes a mounted file by renaming the link `..data` beside it.
 */
class DirectoryWatch implements FileWatch {
  readonly #path: string;
  readonly #onEvent: () => void;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(path: string, onEvent: () => void) {
    this.#path = resolve(path);
    this.#onEvent = onEvent;
    this.refresh();
  }

  get isWatching(): boolean {
    return this.#watchers.size > 0;
  }

  refresh(): void {
    const wanted = new Map<string, { directory: string; name: string }>();
    for (const file of [this.#path, realPath(this.#path)]) {
      const directory = dirname(file);
      const identity = nodeIdentity(directory);
      if (identity !== undefined) wanted.set(`${identity} ${basename(file)}`, { directory, name: basename(file) });
    }
    for (const key of [...this.#watchers.keys()]) if (!wanted.has(key)) this.#drop(key);
    for (const [key, { directory, name }] of wanted) if (!this.#watchers.has(key)) this.#add(key, directory, name);
  }

  close(): void {
    for (const key of [...this.#watchers.keys()]) this.#drop(key);
  }

  #add(key: string, directory: string, name: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name || changed.startsWith("..")) this.#onEvent();
      });
      watcher.on("error", () => this.#drop(key));
      this.#watchers.set(key, watcher);
    } catch {
      // No watches left, or a file system that has none: `isWatching` tells the source to look by itself.
    }
  }

  #drop(key: string): void {
    this.#watchers.get(key)?.close();
    this.#watchers.delete(key);
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // Missing for now, or a link to nowhere.
  }
}

/** Differs where another directory took its place; undefined while there is none. */
export function nodeIdentity(directory: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
    // With its birth, for the number of a directory that was removed goes to the next one that is made.
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined; // The next refresh looks again.
  }
}
