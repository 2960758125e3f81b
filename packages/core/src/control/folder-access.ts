import { type FSWatcher, readdirSync, watch } from "node:fs";
import { type FileAccess, type FileWatch, nodeFiles, nodeIdentity } from "../file-access.ts";

/** A folder of files, as a folder source sees it. */
export interface FolderAccess extends FileAccess {
  /** The names of everything in it; null if it is missing or cannot be read. */
  list(folder: string): readonly string[] | null;
  /** Calls back when something was added or removed, now and then when nothing was. */
  watchFolder(folder: string, onEvent: () => void): FileWatch;
}

export const nodeFolders: FolderAccess = {
  ...nodeFiles,
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return null; // Whoever asks says what that means for people.
    }
  },
  watchFolder: (folder, onEvent) => new FolderWatch(folder, onEvent),
};

class FolderWatch implements FileWatch {
  readonly #folder: string;
  readonly #onEvent: () => void;
  #watcher: FSWatcher | undefined;
  /** The directory that is watched: another of the same name is another one. */
  #identity: string | undefined;

  constructor(folder: string, onEvent: () => void) {
    this.#folder = folder;
    this.#onEvent = onEvent;
    this.refresh();
  }

  get isWatching(): boolean {
    return this.#watcher !== undefined;
  }

  refresh(): void {
    const identity = nodeIdentity(this.#folder);
    if (this.#watcher && identity === this.#identity) return;
    this.close();
    this.#identity = identity;
    try {
      const watcher = watch(this.#folder, { persistent: false }, () => this.#onEvent());
      watcher.on("error", () => this.close());
      this.#watcher = watcher;
    } catch {
      // It is missing, or cannot be watched: `isWatching` tells the source to look by itself.
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
