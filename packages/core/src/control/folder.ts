import { statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import type { FileWatch } from "../file-access.ts";
import { snapshotOfDocuments } from "./compose.ts";
import { EXTENSIONS, FileFollower } from "./file.ts";
import { type FolderAccess, nodeFolders } from "./folder-access.ts";
import type { ControlSource } from "./source.ts";
import { documentReader } from "./tell.ts";
import type { DocumentSink, DocumentSource, Standing, WrittenDocument } from "./written-document.ts";

/** Finds files that came without an event. */
const POLL_MS = 1_000;
const POLL_WITHOUT_WATCH_MS = 200;

interface FilePattern {
  readonly folder: string;
  matches(name: string): boolean;
}

/** Whether a path means many files: it ends in a slash, its last step has `*` or `?`, or it is a folder already. */
export function isFolderPath(path: string): boolean {
  return /[\\/]$/.test(path) || /[*?]/.test(path) || isFolder(path);
}

/**
 * Every native document in a folder (`conf.d/`) or matching a pattern (`mesh/*.yaml`; `*` and `?`, in the last step only), merged in
 * the order of their names, later names winning per part. Files are followed as they change, come and go; a bad one keeps its own last
 * good version. Hidden files and those that do not end in .yaml, .yml or .json are left alone. Throws TypeError for an impossible pattern.
 */
export function folderSource(path: string, files: FolderAccess = nodeFolders): ControlSource {
  const pattern = filePattern(path);
  const watchDocuments: DocumentSource["watchDocuments"] = (sink, clock, standing) => {
    const follower = new FolderFollower(path, pattern, files, { sink, clock, standing });
    return () => follower.close();
  };
  const source: DocumentSource = {
    name: path,
    isFolder: true,
    watch: (sink, clock) => watchDocuments(snapshotOfDocuments(sink), clock, { isAlone: false, isOptional: false }),
    watchDocuments,
  };
  return source;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function filePattern(path: string): FilePattern {
  const isPattern = /[*?]/.test(path);
  const folder = isPattern ? dirname(path) : path;
  const wanted = isPattern ? basename(path) : "*";
  if (/[*?]/.test(folder)) throw new TypeError(`config: found the pattern ${JSON.stringify(path)}, expected * and ? in its last step only`);
  if (isPattern && !wanted.endsWith("*") && !isDocumentName(wanted))
    throw new TypeError(`config: found the pattern ${JSON.stringify(path)}, expected one that ends in ${EXTENSIONS.join(", ")} or *`);
  const source = wanted
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const regex = new RegExp(`^${source}$`, "s");
  return { folder, matches: (name) => regex.test(name) && !name.startsWith(".") && isDocumentName(name) };
}

function isDocumentName(name: string): boolean {
  return EXTENSIONS.includes(extname(name).toLowerCase());
}

interface Told {
  readonly sink: DocumentSink;
  readonly clock: Clock;
  readonly standing: Standing;
}

class FolderFollower {
  readonly #path: string;
  readonly #pattern: FilePattern;
  readonly #files: FolderAccess;
  readonly #told: Told;
  readonly #followers = new Map<string, FileFollower<WrittenDocument>>();
  /** The last good version of each. */
  readonly #written = new Map<string, WrittenDocument>();
  readonly #watch: FileWatch;
  #pollTimer: Timer | undefined;
  /** Many files are looked at, of which one by one would be told. */
  #isListing = false;
  #hasTold = false;
  #isGone = false;
  #isClosed = false;

  constructor(path: string, pattern: FilePattern, files: FolderAccess, told: Told) {
    this.#path = path;
    this.#pattern = pattern;
    this.#files = files;
    this.#told = told;
    this.#watch = files.watchFolder(pattern.folder, () => this.#list());
    this.#list();
    this.#schedulePoll();
  }

  close(): void {
    this.#isClosed = true;
    this.#watch.close();
    if (this.#pollTimer) this.#told.clock.clearTimer(this.#pollTimer);
    for (const follower of this.#followers.values()) follower.close();
  }

  #schedulePoll(): void {
    const poll = (): void => {
      this.#watch.refresh();
      this.#list();
      this.#schedulePoll();
    };
    this.#pollTimer = this.#told.clock.setTimer(this.#watch.isWatching ? POLL_MS : POLL_WITHOUT_WATCH_MS, poll, "idle");
  }

  /** Follows files that are new. What is gone is found by who follows it: it may be back in a moment. */
  #list(): void {
    if (this.#isClosed) return;
    const names = this.#files.list(this.#pattern.folder);
    if (names === null) {
      this.#reportGone();
      return;
    }
    const isBack = this.#isGone || !this.#hasTold;
    this.#isGone = false;
    const added = names.filter((name) => this.#pattern.matches(name) && !this.#followers.has(name)).sort();
    this.#isListing = true;
    for (const name of added) this.#follow(name);
    this.#isListing = false;
    if (added.length > 0 || isBack) this.#tell();
  }

  #follow(name: string): void {
    const path = join(this.#pattern.folder, name);
    const { standing, clock, sink } = this.#told;
    let isGone = false;
    const reader = {
      ...documentReader(path, sink, standing),
      update: (written: WrittenDocument): void => {
        this.#written.set(name, written);
        this.#isGone = false;
        if (!this.#isListing) this.#tell();
      },
      gone: () => {
        isGone = this.#fileIsGone(name);
        return true;
      },
    };
    const follower = new FileFollower(path, this.#files, reader, clock);
    if (isGone) follower.close();
    else this.#followers.set(name, follower);
  }

  /** A file's disappearance is a change like others, unless the whole folder went. */
  #fileIsGone(name: string): boolean {
    if (this.#files.list(this.#pattern.folder) === null) {
      this.#reportGone();
      return false;
    }
    this.#followers.get(name)?.close();
    this.#followers.delete(name);
    this.#written.delete(name);
    if (!this.#isListing) this.#tell();
    return true;
  }

  #tell(): void {
    // Until each file was good once, what they say together is not known.
    if (!this.#hasTold && this.#written.size < this.#followers.size) return;
    this.#hasTold = true;
    this.#told.sink.documents([...this.#written.keys()].sort().flatMap((name) => this.#written.get(name) ?? []));
  }

  #reportGone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    // That an optional folder is not there is no problem; that it is gone again is one.
    if (this.#told.standing.isOptional && !this.#hasTold) return;
    const consequence = this.#hasTold ? "the last good configuration stays in force" : "the mesh waits for it";
    this.#told.sink.problem({
      where: this.#path,
      message: `the folder does not exist or cannot be read; ${consequence}`,
      severity: "error",
    });
  }
}
