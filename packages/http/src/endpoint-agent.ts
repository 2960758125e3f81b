import type { AgentOptions, ClientRequest } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ChannelSettings, MeshError, shortageWords } from "@heddle/core";
import type { Dial } from "./dial.ts";
import { nodeHttp } from "./node-http.ts";
import type { OpenSockets } from "./open-sockets.ts";

/** As Node calls it: an error comes without a socket, whatever the types say. */
type Connected = (error: Error | null, socket: Duplex) => void;

/** What ClientRequest and Agent of node:http call each other by; agents of many packages build on it, but the types leave it out. */
export interface AgentInternals {
  readonly options: { timeout?: number };
  addRequest(request: ClientRequest, options: object): void;
  createSocket(request: ClientRequest, options: object, done: Connected): void;
  keepSocketAlive(socket: Socket): boolean;
  reuseSocket(socket: Socket, request: ClientRequest): void;
}

/** A connection that nobody uses is closed after this long, or sooner where its server says so: undici's own default. */
const IDLE_MS = 4_000;

const base = nodeHttp.Agent.prototype as unknown as AgentInternals;

/**
 * Node's own keep-alive agent, all of whose connections go to one endpoint. At most `maxConnections` are open: Node counts a connection
 * only once it is there, and a pipe not at all, so what `maxSockets` allows is less by those that are being dialled and by the pipes.
 */
export class EndpointAgent extends nodeHttp.Agent {
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open: OpenSockets;
  readonly #dropped = new WeakSet<ClientRequest>();
  /** Of the request that is given to it next: what a connection is opened for. */
  authority = "";
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
    this.maxSockets--;
    this.#dial((error, socket) => {
      this.maxSockets++;
      if (socket) {
        this.#open.add(socket);
        socket.once("agentRemove", () => this.#countPipe(socket));
      }
      connected?.(error && this.#failure(error), socket as Duplex);
      if (error) this.#dialForWaiting();
    }, this.authority);
  }

  /** Called for a request that is not queued, and for the first in the queue where a connection was lost. */
  createSocket(request: ClientRequest, options: object, done: Connected): void {
    const wasQueued = this.#queue.includes(request);
    if (wasQueued && !this.#hasRoom()) return;
    base.createSocket.call(this, request, options, (error, socket) => {
      if (!error && this.#dropped.has(request)) socket.emit("free");
      else if (!error) done(null, socket);
      // One that has left the queue was dropped, or is served on another connection.
      else if (wasQueued ? this.#unqueue(request) : !this.#dropped.has(request)) done(error, socket);
    });
  }

  /** Where Node finds the time for idle connections it looks for that of requests, too: it stands there for this call alone. */
  override keepSocketAlive(socket: Socket): boolean {
    const { options } = this as unknown as AgentInternals;
    options.timeout = IDLE_MS;
    const isKept = base.keepSocketAlive.call(this, socket);
    delete options.timeout;
    return isKept && !this.#isClosing;
  }

  /** Node sets the idle time when a connection becomes free, and forgets to take it back. */
  override reuseSocket(socket: Socket, request: ClientRequest): void {
    base.reuseSocket.call(this, socket, request);
    socket.setTimeout(0);
  }

  /** Of one of its connections; a later one has a higher number. */
  numberOf(socket: Socket): number {
    return this.#open.numberOf(socket);
  }

  /** Forgets a request that has no connection yet: Node would tell it that it is over only when there is one. */
  drop(request: ClientRequest): void {
    this.#dropped.add(request);
    this.#unqueue(request);
  }

  get isUnused(): boolean {
    const isDialling = this.maxSockets < this.#settings.maxConnections;
    return !isDialling && Object.keys({ ...this.sockets, ...this.freeSockets, ...this.requests }).length === 0;
  }

  /** Closes what nobody uses, now, and every other connection after its request. */
  closeIdle(): void {
    this.#isClosing = true;
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /** Node forgets a connection that switched; it is one until it closes. */
  #countPipe(socket: Duplex): void {
    this.maxSockets--;
    socket.once("close", () => {
      this.maxSockets++;
      this.#dialForWaiting();
    });
  }

  get #queue(): ClientRequest[] {
    return (this.requests[this.getName()] as ClientRequest[] | undefined) ?? [];
  }

  /** Whether it was there. Node takes an empty queue for one with a request in it. */
  #unqueue(request: ClientRequest): boolean {
    const queue = this.#queue;
    const index = queue.indexOf(request);
    if (index < 0) return false;
    queue.splice(index, 1);
    if (queue.length === 0) delete (this.requests as Record<string, unknown>)[this.getName()];
    return true;
  }

  #hasRoom(): boolean {
    const name = this.getName();
    return (this.sockets[name]?.length ?? 0) + (this.freeSockets[name]?.length ?? 0) < this.maxSockets;
  }

  #dialForWaiting(): void {
    const [next] = this.#queue;
    if (next) this.createSocket(next, {}, (error, socket) => (error ? giveNoSocket(next, error) : void socket.emit("free")));
  }

  #failure(error: Error): MeshError {
    if (error instanceof MeshError) return error;
    return new MeshError("connect_failed", `could not connect to ${this.#settings.address}: ${error.message}${shortageWords(error)}`, {
      cause: error,
    });
  }
}

/** What Node's own agent does where it finds no connection; the types leave the error out. */
export function giveNoSocket(request: ClientRequest, error: Error): void {
  (request as unknown as { onSocket(socket: null, error: Error): void }).onSocket(null, error);
}
