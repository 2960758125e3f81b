import { Agent, type AgentOptions, type ClientRequest } from "node:http";
import type { Duplex } from "node:stream";
import { type ChannelSettings, MeshError } from "@heddle/core";
import type { Dial } from "./dial.ts";
import type { OpenSockets } from "./open-sockets.ts";

/** As Node calls it: an error comes without a socket, whatever the types say. */
type Connected = (error: Error | null, socket: Duplex) => void;

/** What ClientRequest and Agent of node:http call each other by; agents of many packages build on it, but the types leave it out. */
export interface AgentInternals {
  addRequest(request: ClientRequest, options: object): void;
  createSocket(request: ClientRequest, options: object, done: Connected): void;
  keepSocketAlive(socket: Duplex): boolean;
}

const base = Agent.prototype as unknown as AgentInternals;

/** Node's own keep-alive agent, all of whose connections go to one endpoint. */
export class EndpointAgent extends Agent {
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open: OpenSockets;
  readonly #dropped = new WeakSet<ClientRequest>();
  #isClosing = false;

  constructor(settings: ChannelSettings, dial: Dial, open: OpenSockets) {
    super({ keepAlive: true, maxSockets: settings.maxConnections } satisfies AgentOptions);
    this.#settings = settings;
    this.#dial = dial;
    this.#open = open;
  }

  /** One pool, whatever host is asked for. */
  override getName(): string {
    return this.#settings.address;
  }

  override createConnection(_options: object, connected?: Connected): undefined {
    this.#dial((error, socket) => {
      if (socket) this.#open.add(socket);
      connected?.(error && this.#failure(error), socket as Duplex);
    });
  }

  createSocket(request: ClientRequest, options: object, done: Connected): void {
    base.createSocket.call(this, request, options, (error, socket) => {
      if (!this.#dropped.has(request)) done(error, socket);
      else if (!error) socket.emit("free");
    });
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return base.keepSocketAlive.call(this, socket) && !this.#isClosing;
  }

  /** Forgets a request that has no connection yet: Node would tell it that it is over only when there is one. */
  drop(request: ClientRequest): void {
    this.#dropped.add(request);
    const waiting = this.requests[this.getName()] as ClientRequest[] | undefined;
    const index = waiting?.indexOf(request) ?? -1;
    if (index >= 0) waiting?.splice(index, 1);
  }

  /** Closes what nobody uses, now, and every other connection after its request. */
  closeIdle(): void {
    this.#isClosing = true;
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  #failure(error: Error): MeshError {
    return new MeshError("connect_failed", `could not connect to ${this.#settings.address}: ${error.message}`, { cause: error });
  }
}
