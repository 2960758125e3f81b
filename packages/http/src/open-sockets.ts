import type { Socket } from "node:net";

/** The sockets of a channel that are open, whoever uses them. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #waiting: (() => void)[] = [];

  get count(): number {
    return this.#sockets.size;
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resolve of waiting) resolve();
    });
  }

  /** Resolves when none is open. */
  closed(): Promise<void> {
    return this.#sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  destroy(reason: Error): void {
    for (const socket of this.#sockets) socket.destroy(reason);
  }
}
