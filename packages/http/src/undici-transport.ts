import { AsyncLocalStorage } from "node:async_hooks";
import type { Agent } from "node:http";
import {
  type Channel,
  type ChannelSettings,
  headerValue,
  isUpgrade,
  type MeshRequest,
  type MeshResponse,
  type Transport,
  TransportFailure,
} from "@heddle/core";
import { type Dispatcher, Pool } from "undici";
import { Connection } from "./connection.ts";
import { ConnectionSlots } from "./connection-slots.ts";
import { type Dial, dialer } from "./dial.ts";
import { EndpointAgent } from "./endpoint-agent.ts";
import { Exchange } from "./exchange.ts";
import { OpenSockets } from "./open-sockets.ts";
import { sendableBody } from "./sendable-body.ts";
import { wireHeaders } from "./wire-headers.ts";

/** HTTP/1.1 over undici, one Pool a channel. Plaintext only. */
export function httpTransport(): Transport {
  // A connection keeps the stores of the request it is opened in, of the application's own storages too, for as long as it is open.
  const outsideRequests = AsyncLocalStorage.snapshot();
  return {
    open(settings) {
      if (settings.protocol !== "http1") throw new TypeError(`${settings.address}: this transport speaks http1, not ${settings.protocol}`);
      if (settings.tls !== null) throw new TypeError(`${settings.address}: this transport does not speak TLS`);
      return new HttpChannel(settings, outsideRequests);
    },
  };
}

class HttpChannel implements Channel {
  readonly send: (request: MeshRequest) => Promise<MeshResponse> = (request) => this.#send(request);
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open = new OpenSockets();
  #pool: Pool | null = null;
  #pipes: ConnectionSlots | null = null;
  #agent: EndpointAgent | null = null;
  /** What the pool's connections say as `host` when a request says nothing else: the first request's authority. */
  #originAuthority = "";
  #isClosed = false;
  #destroyedBy: Error | null = null;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(settings: ChannelSettings, outsideRequests: ReturnType<typeof AsyncLocalStorage.snapshot>) {
    this.#settings = settings;
    const dial = dialer(settings.address, () => settings.connectTimeoutMs);
    this.#dial = (connected) => outsideRequests(dial, connected);
  }

  agent(): Agent {
    this.#agent ??= new EndpointAgent(this.#settings, this.#dial, this.#open);
    return this.#agent;
  }

  connections(): number {
    return this.#open.count;
  }

  close(): Promise<void> {
    const { promise, resolve } = this.#closed;
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#agent?.closeIdle();
      const closed = () => this.#open.closed().then(resolve);
      if (this.#pool) this.#pool.close().then(closed, closed);
      else void closed();
    }
    return promise;
  }

  destroy(reason: Error): void {
    const { resolve } = this.#closed;
    this.#isClosed = true;
    this.#destroyedBy = reason;
    // What is cut is told to each exchange; a pool destroyed while requests wait never ends its own `close`.
    if (this.#pool) this.#pool.destroy(reason).then(resolve, resolve);
    else resolve();
    this.#open.destroy(reason);
  }

  #send(request: MeshRequest): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    if (this.#isClosed)
      return Promise.reject(new TransportFailure("connect-failure", `the channel to ${this.#settings.address} is closed`));
    if (isUpgrade(request)) return this.#sendForPipe(request);
    const pool = this.#pool ?? this.#openPool(request.authority);
    return dispatchOn(pool, request, this.#originAuthority);
  }

  /** On a connection of its own, which was never used before and will never be used again. */
  async #sendForPipe(request: MeshRequest): Promise<MeshResponse> {
    this.#pipes ??= new ConnectionSlots(this.#settings.maxConnections);
    const pipes = this.#pipes;
    await pipes.take(request.cancel);
    const origin = logicalOrigin(request.authority);
    const connection = new Connection(origin, CONNECTION_OPTIONS, this.#dial, this.#open);
    try {
      if (this.#destroyedBy) throw this.#destroyedBy;
      if (request.cancel.isCancelled) throw request.cancel.reason;
      const response = await dispatchOn(connection, request, origin.host);
      response.body.whenEnd(() => pipes.giveBack());
      void connection.close();
      return response;
    } catch (error) {
      pipes.giveBack();
      void connection.destroy();
      throw error;
    }
  }

  #openPool(authority: string): Pool {
    const origin = logicalOrigin(authority);
    this.#originAuthority = origin.host;
    const pool = new Pool(origin, {
      ...CONNECTION_OPTIONS,
      connections: this.#settings.maxConnections,
      factory: (url, options) => new Connection(url, options, this.#dial, this.#open),
    });
    this.#pool = pool;
    return pool;
  }
}

const CONNECTION_OPTIONS = {
  pipelining: 1,
  allowH2: false,
  // Deadlines are the mesh's: undici's would start only on the socket, and tick in half seconds.
  headersTimeout: 0,
  bodyTimeout: 0,
};

function dispatchOn(dispatcher: Dispatcher, request: MeshRequest, originAuthority: string): Promise<MeshResponse> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(request, resolve, reject);
    const options = {
      path: request.path,
      method: request.method,
      headers: wireHeaders(request, originAuthority),
      body: sendableBody(request.body, exchange),
      upgrade: headerValue(request.headers, "upgrade") ?? null,
    };
    dispatcher.dispatch(options as Dispatcher.DispatchOptions, exchange as Dispatcher.DispatchHandler);
  });
}

function logicalOrigin(authority: string): URL {
  return URL.parse(`http://${authority}`) ?? new URL("http://mesh.invalid");
}
