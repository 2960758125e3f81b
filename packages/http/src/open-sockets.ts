import type { Socket } from "node:net";

/** The sockets of a channel that are open, whoever uses them. */
export class OpenSockets {
  /** Counted over all channels: the next channel to the same endpoint goes on where this one stops. */
  static #opened = 0;
  readonly #sockets = new Map<Socket, number>();
  #waiting: (() => void)[] = [];

  get count(): number {
    return this.#sockets.size;
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
    for (const socket of this.#sockets.keys()) socket.destroy(reason);
  }
}
