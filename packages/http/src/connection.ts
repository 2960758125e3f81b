import type { Socket } from "node:net";
import { Client, type Dispatcher } from "undici";
import type { Dial } from "./dial.ts";
import type { Exchange } from "./exchange.ts";
import type { OpenSockets } from "./open-sockets.ts";

/** The socket under a {@link Connection}, and what it has carried. */
export class Wire {
  socket: Socket | null = null;
  /** Of the socket; a later one has a higher number. */
  number = 0;
  /** Complete exchanges on this socket. */
  exchanges = 0;
  /** Of the request that a connection is opened for. */
  authority = "";
}

/**
 * An undici Client, that is one connection of a Pool, which tells each exchange on which wire it travels: undici does not, and
 * without it a connection that died idle cannot be told from one that broke under the request.
 */
export class Connection extends Client {
  readonly #wire: Wire;

  constructor(origin: URL, options: object, dial: Dial, open: OpenSockets) {
    const wire = new Wire();
    super(origin, {
      ...options,
      connect: ((_target: object, connected: (error: Error | null, socket: Socket | null) => void) =>
        dial((error, socket) => {
          if (socket) {
            wire.socket = socket;
            wire.exchanges = 0;
            wire.number = open.add(socket);
          }
          connected(error, socket);
        }, wire.authority)) as never,
    });
    this.#wire = wire;
  }

  /** Every handler of a channel's pool is an {@link Exchange}. One that was cancelled in the pool's queue takes no connection. */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const exchange = handler as Exchange;
    if (exchange.isOver) return true;
    exchange.wire = this.#wire;
    this.#wire.authority = exchange.authority;
    return super.dispatch(options, handler);
  }
}
