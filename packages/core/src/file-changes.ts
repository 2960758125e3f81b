import type { Clock, Timer } from "./clock.ts";
import type { FileAccess, FileWatch } from "./file-access.ts";

/** Events of one edit come in a bunch: it is told when they have paused for so long ... */
const QUIET_MS = 50;
/** ... or, where they never pause, after so long. */
const LONGEST_WAIT_MS = 150;
/** Finds what watching missed: file systems without events, links replaced further up. */
const POLL_MS = 1_000;
const POLL_WITHOUT_WATCH_MS = 200;

/** Calls back soon after any of some files may have changed, once for what changes together. */
export class FileChanges {
  readonly #paths: readonly string[];
  readonly #files: FileAccess;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #watches: readonly FileWatch[];
  #stamps: string;
  #firstEventAt: number | undefined;
  #quietTimer: Timer | undefined;
  #pollTimer: Timer | undefined;
  #isClosed = false;

  /** Read the files after this was made, or an edit in between would be missed. */
  constructor(paths: readonly string[], files: FileAccess, clock: Clock, onChange: () => void) {
    this.#paths = paths;
    this.#files = files;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#watches = paths.map((path) => files.watch(path, () => this.#changed()));
    this.#stamps = this.stamps();
    this.#schedulePoll();
  }

  /** Differs whenever one of the files may have changed. */
  stamps(): string {
    return this.#paths.map((path) => this.#files.stamp(path)).join(" ");
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    for (const timer of [this.#quietTimer, this.#pollTimer]) if (timer) this.#clock.clearTimer(timer);
  }

  #changed(): void {
    if (this.#isClosed) return;
    const now = this.#clock.now();
    this.#firstEventAt ??= now;
    if (this.#quietTimer) this.#clock.clearTimer(this.#quietTimer);
    const delay = Math.max(0, Math.min(QUIET_MS, this.#firstEventAt + LONGEST_WAIT_MS - now));
    this.#quietTimer = this.#clock.setTimer(
      delay,
      () => {
        this.#quietTimer = undefined;
        this.#firstEventAt = undefined;
        this.#refresh();
        this.#onChange();
      },
      "idle",
    );
  }

  #schedulePoll(): void {
    if (this.#isClosed) return;
    const poll = (): void => {
      this.#refresh();
      const stamps = this.stamps();
      if (stamps !== this.#stamps) this.#changed();
      this.#stamps = stamps;
      this.#schedulePoll();
    };
    const isWatching = this.#watches.every((watch) => watch.isWatching);
    this.#pollTimer = this.#clock.setTimer(isWatching ? POLL_MS : POLL_WITHOUT_WATCH_MS, poll, "idle");
  }

  #refresh(): void {
    for (const watch of this.#watches) watch.refresh();
  }
}
