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
import { tlsDialer } from "./dial-tls.ts";
import { EndpointAgent } from "./endpoint-agent.ts";
import { Exchange } from "./exchange.ts";
import { Http2Channel } from "./http2-channel.ts";
import { OpenSockets } from "./open-sockets.ts";
import { sendableBody } from "./sendable-body.ts";
import { wireHeaders } from "./wire-headers.ts";

/**
 * HTTP/2 over node:http2 ({@link Http2Channel}), and HTTP/1.1 over undici, in the clear or over TLS: one Pool a channel, or one for each host where servers are
 * known by the host's name.
 */
export function httpTransport(): Transport {
  // A connection keeps the stores of the request it is opened in, of the application's own storages too, for as long as it is open.
  const outsideRequests = AsyncLocalStorage.snapshot();
  return {
    open(settings) {
      if (settings.protocol === "http2") return new Http2Channel(settings, outsideRequests);
      if (settings.protocol !== "http1")
        throw new TypeError(`${settings.address}: this transport speaks http1 and http2, not ${settings.protocol}`);
      return new HttpChannel(settings, outsideRequests);
    },
  };
}

class HttpChannel implements Channel {
  readonly send: (request: MeshRequest) => Promise<MeshResponse> = (request) => this.#send(request);
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open = new OpenSockets();
  readonly #perHost: boolean;
  /** Every pool there is; without {@link #perHost} there is one. */
  readonly #pools = new Map<string, HostPool>();
  /** That of the last request. */
  #pool: HostPool | null = null;
  #pipes: ConnectionSlots | null = null;
  readonly #agents = new Map<string, EndpointAgent>();
  #isClosed = false;
  #destroyedBy: Error | null = null;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(settings: ChannelSettings, outsideRequests: ReturnType<typeof AsyncLocalStorage.snapshot>) {
    this.#settings = settings;
    const { address, tls } = settings;
    const timeoutMs = () => settings.connectTimeoutMs;
    const dial = tls === null ? dialer(address, timeoutMs) : tlsDialer(address, tls, "http/1.1", timeoutMs);
    this.#dial = (connected, authority) => outsideRequests(() => this.#open.dial(dial, connected, authority));
    // A server that proved to be one host has not proved to be another.
    this.#perHost = tls?.mode === "simple";
  }

  agent(authority: string): Agent {
    const host = this.#perHost ? authority : "";
    let agent = this.#agents.get(host);
    if (agent === undefined) {
      agent = new EndpointAgent(this.#settings, this.#dial, this.#open);
      this.#agents.set(host, agent);
    }
    agent.authority = authority;
    return agent;
  }

  connections(): number {
    return this.#open.count;
  }

  close(): Promise<void> {
    const { promise, resolve } = this.#closed;
    if (!this.#isClosed) {
      this.#isClosed = true;
      for (const agent of this.#agents.values()) agent.closeIdle();
      const closed = () => this.#open.closed().then(resolve);
      Promise.all(Array.from(this.#pools.values(), ({ pool }) => pool.close())).then(closed, closed);
    }
    return promise;
  }

  destroy(reason: Error): void {
    const { resolve } = this.#closed;
    this.#isClosed = true;
    this.#destroyedBy = reason;
    // What is cut is told to each exchange; a pool destroyed while requests wait never ends its own `close`.
    Promise.all(Array.from(this.#pools.values(), ({ pool }) => pool.destroy(reason))).then(() => resolve(), resolve);
    this.#open.destroy(reason);
  }

  #send(request: MeshRequest): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    if (this.#isClosed)
      return Promise.reject(new TransportFailure("connect-failure", `the channel to ${this.#settings.address} is closed`));
    if (isUpgrade(request)) return this.#sendForPipe(request);
    let pool = this.#pool;
    if (pool === null || (this.#perHost && pool.host !== request.authority)) pool = this.#poolOf(request.authority);
    return dispatchOn(pool.pool, request, pool.originAuthority);
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

  #poolOf(authority: string): HostPool {
    const host = this.#perHost ? authority : "";
    this.#pool = this.#pools.get(host) ?? this.#openPool(host, authority);
    return this.#pool;
  }

  #openPool(host: string, authority: string): HostPool {
    this.#closeUnused();
    const origin = logicalOrigin(authority);
    const pool = new Pool(origin, {
      ...CONNECTION_OPTIONS,
      connections: this.#settings.maxConnections,
      factory: (url, options) => new Connection(url, options, this.#dial, this.#open),
    });
    const opened = { host, originAuthority: origin.host, pool };
    this.#pools.set(host, opened);
    return opened;
  }

  /** Hosts may be as many as a wildcard has names; those that are not called any more must not stay. */
  #closeUnused(): void {
    for (const [host, { pool }] of this.#pools) {
      const { connected, size } = pool.stats;
      if (connected > 0 || size > 0) continue;
      this.#pools.delete(host);
      void pool.close();
    }
    for (const [host, agent] of this.#agents) if (agent.isUnused) this.#agents.delete(host);
  }
}

interface HostPool {
  /** Whose requests it takes; empty: everybody's. */
  readonly host: string;
  /** What its connections say as `host` when a request says nothing else: the first request's authority. */
  readonly originAuthority: string;
  readonly pool: Pool;
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
