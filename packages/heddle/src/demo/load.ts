import { Agent } from "node:http";
import { Cancel, type Clock, sleep } from "@heddle/core";
import { askJson } from "./ask.ts";
import { LoadWindow, type Sample } from "./load-window.ts";

const CONCURRENCY = 8;
/** Between two requests of one worker: enough traffic to measure, little enough for the services to share two cores. */
const PAUSE_MS = 20;

/** Asks `web` for pages, from outside of the mesh, until it is closed. */
export class Load {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  readonly #windows = new Set<LoadWindow>();
  readonly #end = new Cancel();
  readonly #workers: readonly Promise<void>[];
  /** Sent as `x-user` by every second worker; null: by none. */
  user: string | null = null;

  constructor(url: string, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
    this.#workers = Array.from({ length: CONCURRENCY }, (_, index) => this.#work(index % 2 === 1));
  }

  /** Counts from now on what ends. */
  open(): LoadWindow {
    const window = new LoadWindow(this.#clock.now(), () => this.#windows.delete(window));
    this.#windows.add(window);
    return window;
  }

  async close(): Promise<void> {
    this.#end.cancel("closed");
    await Promise.all(this.#workers);
    this.#agent.destroy();
  }

  async #work(takesUser: boolean): Promise<void> {
    while (!this.#end.isCancelled) {
      const sample = await this.#ask(takesUser ? this.user : null);
      for (const window of this.#windows) window.add(sample);
      await sleep(this.#clock, PAUSE_MS, this.#end).catch(() => {
        // Closed: the loop ends.
      });
    }
  }

  async #ask(user: string | null): Promise<Sample> {
    const startedAt = this.#clock.now();
    try {
      const headers: Record<string, string> = user === null ? {} : { "x-user": user };
      const { review, suggestions } = await askJson<Page>(this.#url, { agent: this.#agent, headers });
      return { startedAt, user, version: review.version, pid: review.pid, suggestions: suggestions.length, failure: null };
    } catch (error) {
      return {
        startedAt,
        user,
        version: null,
        pid: null,
        suggestions: null,
        failure: error instanceof Error ? error.message : String(error),
      };
    }
  }
}

interface Page {
  readonly review: { readonly version: string; readonly pid: number };
  readonly suggestions: readonly string[];
}
