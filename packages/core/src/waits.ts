import type { Cancel } from "./cancel.ts";

/**
 * Requests that wait while no channel has them: between two tries, or for a first endpoint. They are in flight all the same:
 * closing waits for them, and ends what is left.
 */
export class Waits {
  readonly #waiting = new Set<Cancel>();
  #listeners: (() => void)[] = [];
  #ended: { readonly reason: unknown } | null = null;

  /** Cancels the request at once if all were: what is cut then may not begin to wait for another try. */
  begin(request: Cancel): void {
    if (this.#ended) request.cancel(this.#ended.reason);
    else this.#waiting.add(request);
  }

  end(request: Cancel): void {
    if (!this.#waiting.delete(request) || this.#waiting.size > 0) return;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  /** Resolves when none is left. */
  whenNone(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#listeners.push(resolve));
  }

  /** For good. */
  cancelAll(reason: unknown): void {
    this.#ended = { reason };
    for (const request of [...this.#waiting]) request.cancel(reason);
  }
}
