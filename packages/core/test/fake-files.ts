import type { FileReading, FileWatch } from "../src/file-access.ts";
import type { CertificateFileAccess } from "../src/identity/certificate-file-access.ts";

/** Files that exist in the test only. Everything is told to whoever watches, at once. */
export class FakeFiles implements CertificateFileAccess {
  readonly #files = new Map<string, { readonly reading: FileReading; readonly version: number }>();
  readonly #listeners = new Set<{ readonly path: string; readonly onEvent: () => void }>();
  #version = 0;
  hasEvents = true;
  mode: number | null = null;
  reads = 0;
  /** Called before each read, with how many there were: what happens while a set is read. */
  onRead: (reads: number) => void = () => {};

  get watches(): number {
    return this.#listeners.size;
  }

  read(path: string): FileReading {
    this.onRead(this.reads++);
    return this.#files.get(path)?.reading ?? { kind: "missing" };
  }

  stamp(path: string): string {
    return `${this.#files.get(path)?.version ?? "missing"}`;
  }

  exposedMode(): number | null {
    return this.mode;
  }

  watch(path: string, onEvent: () => void): FileWatch {
    const listener = { path, onEvent };
    this.#listeners.add(listener);
    const files = this;
    return {
      get isWatching() {
        return files.hasEvents;
      },
      refresh() {},
      close: () => void this.#listeners.delete(listener),
    };
  }

  /** undefined: deleted. All of them at one moment. */
  write(texts: Readonly<Record<string, string | undefined>>): void {
    this.#version++;
    for (const [path, text] of Object.entries(texts)) {
      if (text === undefined) this.#files.delete(path);
      else this.#files.set(path, { reading: { kind: "text", text }, version: this.#version });
    }
    if (this.hasEvents) for (const { path, onEvent } of [...this.#listeners]) if (path in texts) onEvent();
  }

  makeUnreadable(path: string, why: string): void {
    this.#files.set(path, { reading: { kind: "unreadable", why }, version: ++this.#version });
    if (this.hasEvents) for (const listener of [...this.#listeners]) if (listener.path === path) listener.onEvent();
  }
}
