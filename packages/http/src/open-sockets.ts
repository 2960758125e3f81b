import type { Socket } from "node:net";
import type { Dial, Dialled } from "./dial.ts";

/** The sockets of a channel that are open, whoever uses them, and those that are to be. */
export class OpenSockets {
  /** Counted over all channels: the next channel to the same endpoint goes on where this one stops. */
  static #opened = 0;
  readonly #sockets = new Map<Socket, number>();
  readonly #dialling = new Set<Socket>();
  #waiting: (() => void)[] = [];

  get count(): number {
    return this.#sockets.size;
  }

  /** As `dial` does, so that {@link destroy} finds what is not connected yet: undici leaves it to its timeout. */
  dial(dial: Dial, done: Dialled, authority: string): Socket | null {
    const dialled = dial((error, socket) => {
      if (dialled) this.#dialling.delete(dialled);
      done(error, socket);
    }, authority);
    if (dialled) this.#dialling.add(dialled);
    return dialled;
  }

  /** Returns its number: a socket that is opened later has a higher one. */
  add(socket: Socket): number {
    const number = ++OpenSockets.#opened;
    this.#sockets.set(socket, number);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resolve of waiting) resolve();
    });
    return number;
  }

  /** 0 for one that is not open. */
  numberOf(socket: Socket): number {
    return this.#sockets.get(socket) ?? 0;
  }

  /** Resolves when none is open. */
  closed(): Promise<void> {
    return this.#sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  destroy(reason: Error): void {
    for (const socket of this.#dialling) socket.destroy(reason);
    for (const socket of this.#sockets.keys()) socket.destroy(reason);
  }
}
