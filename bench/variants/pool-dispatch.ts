import { type Dispatcher, Pool } from "undici";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** Collects an answer without a stream: the least that a client over undici can do. */
class Collector implements Dispatcher.DispatchHandler {
  #status = 0;
  #first: Buffer | null = null;
  #rest: Buffer[] | null = null;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(resolve: () => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#first === null) this.#first = chunk;
    else if (this.#rest) this.#rest.push(chunk);
    else this.#rest = [this.#first, chunk];
  }

  onResponseEnd(): void {
    const bytes = this.#rest ? Buffer.concat(this.#rest) : this.#first;
    try {
      expectAnswer(this.#status, bytes?.length ?? 0);
      this.#resolve();
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

/** Raw undici below `request()`: `Pool.dispatch` with a collector. The floor. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const pools = addresses.map((address) => new Pool(`http://${address}`));
  const next = inTurn(pools);
  return {
    call: () => new Promise((resolve, reject) => next().dispatch({ method: "GET", path }, new Collector(resolve, reject))),
    async close() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
};
