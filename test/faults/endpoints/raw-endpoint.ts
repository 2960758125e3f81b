import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { RequestReader } from "./request-reader.ts";

/** What an endpoint does with one connection. Whatever it leaves open stays open: silence is a fault too. */
export type Script = (connection: RawConnection) => Promise<unknown> | unknown;

/** A request as far as it came. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty until it is complete. */
  readonly body: string;
}

/** One connection at the server. Nothing of it is read before a request is asked for. */
export class RawConnection {
  /** Counted from 1. */
  readonly number: number;
  readonly socket: Socket;
  readonly #reader: RequestReader;

  constructor(number: number, socket: Socket, reader: RequestReader) {
    this.number = number;
    this.socket = socket;
    this.#reader = reader;
  }

  /** The next request's head, as soon as it is there; null once the connection has ended. */
  head(): Promise<RawRequest | null> {
    return this.#reader.next("head");
  }

  /** The next request with all of its body; null once the connection has ended. */
  request(): Promise<RawRequest | null> {
    return this.#reader.next("body");
  }

  /** Returns when the kernel has it. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, () => resolve());
    });
  }

  /** The same, and the client in this very process has read it: a reset overtakes what is still unread. */
  async writeSeen(bytes: string | Uint8Array): Promise<void> {
    await this.write(bytes);
    await turns();
  }

  /** FIN; the other direction stays open. */
  end(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  closed(): Promise<unknown> {
    return this.socket.destroyed ? Promise.resolve() : once(this.socket, "close");
  }
}

/** A TCP server on 127.0.0.1 that does with each connection what its script says, and counts what came in. */
export class RawEndpoint {
  /** Of connections for which {@link next} left nothing. */
  script: Script;
  connections = 0;
  /** Every head that came in whole, in order. */
  readonly heads: RawRequest[] = [];
  /** Every request whose body came in whole too. */
  readonly requests: RawRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #next: Script[] = [];
  #port = 0;

  constructor(script: Script) {
    this.script = script;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Connections that are open at this side. */
  get open(): number {
    return this.#sockets.size;
  }

  /** What the coming connections meet, one script each. */
  next(...scripts: readonly Script[]): void {
    this.#next.push(...scripts);
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** No longer accepts; the port stays ours to listen on again. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Reads what was left unread, so that the other side's end is noticed. */
  drain(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #accept(socket: Socket): void {
    const number = ++this.connections;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // The other side may cut a connection at any time.
    socket.on("error", () => {});
    const reader = new RequestReader(socket, this.heads, this.requests);
    const script = this.#next.shift() ?? this.script;
    Promise.resolve(script(new RawConnection(number, socket, reader))).catch((error: unknown) => socket.destroy(error as Error));
  }
}

export async function rawEndpoint(script: Script): Promise<RawEndpoint> {
  const endpoint = new RawEndpoint(script);
  await endpoint.listen();
  return endpoint;
}

/** Turns of the event loop, in which all that loopback has already carried is read. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
