import { type Channel, type ChannelSettings, type MeshRequest, type MeshResponse, type Transport, TransportFailure } from "@heddle/core";
import { type Dispatcher, Pool } from "undici";
import { Connection, type OpenSockets } from "./connection.ts";
import { type Dial, dialer } from "./dial.ts";
import { Exchange } from "./exchange.ts";
import { sendableBody } from "./sendable-body.ts";
import { wireHeaders } from "./wire-headers.ts";

/** HTTP/1.1 over undici, one Pool a channel. Plaintext only. */
export function httpTransport(): Transport {
  return {
    open(settings) {
      if (settings.protocol !== "http1") throw new TypeError(`${settings.address}: this transport speaks http1, not ${settings.protocol}`);
      if (settings.tls !== null) throw new TypeError(`${settings.address}: this transport does not speak TLS`);
      return new HttpChannel(settings);
    },
  };
}

class HttpChannel implements Channel {
  readonly send: (request: MeshRequest) => Promise<MeshResponse> = (request) => this.#send(request);
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open: OpenSockets = { count: 0 };
  #pool: Pool | null = null;
  /** What the pool's connections say as `host` when a request says nothing else: the first request's authority. */
  #originAuthority = "";
  #isClosed = false;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(settings: ChannelSettings) {
    this.#settings = settings;
    this.#dial = dialer(settings.address, settings.connectTimeoutMs);
  }

  connections(): number {
    return this.#open.count;
  }

  close(): Promise<void> {
    const { promise, resolve } = this.#closed;
    if (!this.#isClosed) {
      this.#isClosed = true;
      if (this.#pool) this.#pool.close().then(resolve, resolve);
      else resolve();
    }
    return promise;
  }

  destroy(reason: Error): void {
    const { resolve } = this.#closed;
    this.#isClosed = true;
    // What is cut is told to each exchange; a pool destroyed while requests wait never ends its own `close`.
    if (this.#pool) this.#pool.destroy(reason).then(resolve, resolve);
    else resolve();
  }

  #send(request: MeshRequest): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    if (this.#isClosed)
      return Promise.reject(new TransportFailure("connect-failure", `the channel to ${this.#settings.address} is closed`));
    const pool = this.#pool ?? this.#openPool(request.authority);
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(request, resolve, reject);
      pool.dispatch(
        {
          path: request.path,
          method: request.method,
          headers: wireHeaders(request, this.#originAuthority) as Dispatcher.DispatchOptions["headers"],
          body: sendableBody(request.body, exchange) as Dispatcher.DispatchOptions["body"],
        } as Dispatcher.DispatchOptions,
        exchange as Dispatcher.DispatchHandler,
      );
    });
  }

  #openPool(authority: string): Pool {
    const origin = logicalOrigin(authority);
    this.#originAuthority = origin.host;
    const pool = new Pool(origin, {
      connections: this.#settings.maxConnections,
      pipelining: 1,
      allowH2: false,
      // Deadlines are the mesh's: undici's would start only on the socket, and tick in half seconds.
      headersTimeout: 0,
      bodyTimeout: 0,
      factory: (url, options) => new Connection(url, options, this.#dial, this.#open),
    });
    this.#pool = pool;
    return pool;
  }
}

function logicalOrigin(authority: string): URL {
  return URL.parse(`http://${authority}`) ?? new URL("http://mesh.invalid");
}
