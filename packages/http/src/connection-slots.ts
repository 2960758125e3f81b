import type { Cancel } from "@heddle/core";

/** Leave to hold connections, at most `most` at once; who comes later waits its turn. */
export class ConnectionSlots {
  readonly #most: number;
  readonly #waiting: Waiting[] = [];
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Rejects with the reason if `cancel` is cancelled first. What was taken must be given back once. */
  async take(cancel: Cancel): Promise<void> {
    if (this.#taken < this.#most) {
      this.#taken++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { resolve };
    const stop = (reason: unknown) => {
      const index = this.#waiting.indexOf(waiting);
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      reject(reason);
    };
    this.#waiting.push(waiting);
    cancel.onCancel(stop);
    await promise;
    cancel.offCancel(stop);
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next) next.resolve();
    else this.#taken--;
  }
}

interface Waiting {
  resolve(): void;
}
