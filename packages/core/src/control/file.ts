import { extname } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import { type FileAccess, type FileReading, nodeFiles } from "../file-access.ts";
import { FileChanges } from "../file-changes.ts";
import type { ControlSource } from "./source.ts";
import { documentReader, type Reader, snapshotReader, tell } from "./tell.ts";
import type { DocumentSource, Loaded } from "./written-document.ts";

/** What the names of files end in that hold documents. */
export const EXTENSIONS: readonly string[] = [".yaml", ".yml", ".json"];

/** What looks broken or gone may be half of an edit: it gets this long to become whole before it is reported. */
const SETTLE_MS = 100;

/**
 * A native document in one YAML or JSON file, followed as it changes. A good edit is in force within 200 ms and the time that reading it
 * takes, which for up to a thousand services is below 100 ms; a bad one, or the file's deletion, is reported once and leaves the last good
 * configuration in force. A file that is missing at the start is reported and waited for.
 * Throws TypeError unless the path ends in .yaml, .yml or .json.
 */
export function fileSource(path: string, files: FileAccess = nodeFiles): ControlSource {
  if (!EXTENSIONS.includes(extname(path).toLowerCase()))
    throw new TypeError(`config: found the path ${JSON.stringify(path)}, expected one that ends in ${EXTENSIONS.join(", ")}`);
  const follow = <Value>(reader: FileReader<Value>, clock: Clock): (() => void) => {
    const follower = new FileFollower(path, files, reader, clock);
    return () => follower.close();
  };
  const source: DocumentSource = {
    name: path,
    watch: (sink, clock) => follow(snapshotReader(path, sink), clock),
    watchDocuments(sink, clock, standing) {
      const reader = documentReader(path, sink, standing);
      return follow(standing.isOptional ? silentUntilGood(reader) : reader, clock);
    },
  };
  return source;
}

/** What is done with one file, as it changes. */
export interface FileReader<Value> extends Reader<Value> {
  /** Told instead of a problem when the file is gone for good; true: it was expected. */
  gone?(): boolean;
}

/** That an optional file is not there is no problem; that it is gone again is one. */
function silentUntilGood<Value>(reader: Reader<Value>): FileReader<Value> {
  let wasGood = false;
  return {
    ...reader,
    update(value) {
      wasGood = true;
      reader.update(value);
    },
    gone: () => !wasGood,
  };
}

interface Suspect<Value> {
  readonly reading: string;
  readonly isMissing: boolean;
  readonly loaded: Loaded<Value>;
}

/** Reads one file whenever it has changed and has become whole, and tells its reader once of each state. */
export class FileFollower<Value> {
  readonly #path: string;
  readonly #files: FileAccess;
  readonly #reader: FileReader<Value>;
  readonly #clock: Clock;
  readonly #changes: FileChanges;
  /** The reading that the reader knows about, as told or as reported. */
  #known: string | undefined;
  #good: { readonly text: string; readonly value: Value } | undefined;
  /** The reader was told of a problem that no update has ended yet. */
  #isFailing = false;
  /** Broken, and given time to become whole. */
  #suspect: Suspect<Value> | undefined;
  #settleTimer: Timer | undefined;
  #isClosed = false;

  constructor(path: string, files: FileAccess, reader: FileReader<Value>, clock: Clock) {
    this.#path = path;
    this.#files = files;
    this.#reader = reader;
    this.#clock = clock;
    this.#changes = new FileChanges([path], files, clock, () => this.#look());
    this.#look();
    // Nobody edits while a process starts: a bad file is worth saying at once.
    this.#reportSuspect();
  }

  close(): void {
    this.#isClosed = true;
    this.#changes.close();
    if (this.#settleTimer) this.#clock.clearTimer(this.#settleTimer);
  }

  #look(): void {
    if (this.#isClosed) return;
    const read = this.#files.read(this.#path);
    const reading = read.kind === "text" ? `text:${read.text}` : JSON.stringify(read);
    if (reading === this.#suspect?.reading) return;
    this.#endSuspicion();
    if (reading === this.#known) return;
    const good = this.#good;
    if (read.kind === "text" && good && read.text === good.text) {
      this.#recover(reading, good.value);
      return;
    }
    const loaded = read.kind === "text" ? this.#reader.load(read.text) : unread<Value>(this.#path, read);
    if (read.kind === "text" && loaded.value !== null) {
      this.#known = reading;
      this.#good = { text: read.text, value: loaded.value };
      this.#isFailing = false;
      tell(this.#reader, loaded, true);
      return;
    }
    this.#suspectReading({ reading, isMissing: read.kind === "missing", loaded });
  }

  #suspectReading(suspect: Suspect<Value>): void {
    this.#suspect = suspect;
    const settled = (): void => {
      this.#look();
      if (this.#suspect === suspect) this.#reportSuspect();
    };
    this.#settleTimer = this.#clock.setTimer(SETTLE_MS, settled, "idle");
  }

  /** The last good content is back. Whoever was told of a problem in between has to hear that it is over. */
  #recover(reading: string, value: Value): void {
    this.#known = reading;
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#reader.update(value);
  }

  #endSuspicion(): void {
    this.#suspect = undefined;
    if (this.#settleTimer) this.#clock.clearTimer(this.#settleTimer);
    this.#settleTimer = undefined;
  }

  #reportSuspect(): void {
    const suspect = this.#suspect;
    if (!suspect || this.#isClosed) return;
    this.#endSuspicion();
    this.#known = suspect.reading;
    this.#isFailing = true;
    if (suspect.isMissing && this.#reader.gone?.()) return;
    tell(this.#reader, suspect.loaded, this.#good !== undefined);
  }
}

function unread<Value>(path: string, reading: Exclude<FileReading, { kind: "text" }>): Loaded<Value> {
  const message = reading.kind === "missing" ? "the file does not exist" : `the file cannot be read: ${reading.why}`;
  return { value: null, problems: [{ where: path, message, severity: "error" }] };
}
