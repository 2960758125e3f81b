import { type FSWatcher, readdirSync, watch } from "node:fs";
import { type FileAccess, type FileWatch, nodeFiles } from "./file-access.ts";

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

  constructor(folder: string, onEvent: () => void) {
    this.#folder = folder;
    this.#onEvent = onEvent;
    this.refresh();
  }

  get isWatching(): boolean {
    return this.#watcher !== undefined;
  }

  refresh(): void {
    if (this.#watcher) return;
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
