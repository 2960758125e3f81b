import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/**
 * Responses to requests that came before those ahead of them on the connection were answered. When it closes Node 22 tells only the first
 * of them, and no Node tells the others where an upgrade has taken the connection: they would be in flight for ever.
 */
export class QueuedResponses {
  readonly #queues = new WeakMap<Duplex, Set<ServerResponse>>();

  add(socket: Duplex, response: ServerResponse): void {
    let queue = this.#queues.get(socket);
    if (!queue) {
      const made = new Set<ServerResponse>();
      queue = made;
      this.#queues.set(socket, made);
      socket.once("close", () => endAll(made));
    }
    queue.add(response);
    response.once("close", () => queue.delete(response));
  }
}

function endAll(queue: ReadonlySet<ServerResponse>): void {
  for (const response of queue) response.destroy();
  // After those that say so by themselves, which are gone from the queue by then.
  process.nextTick(() => {
    for (const response of queue) response.emit("close");
  });
}
