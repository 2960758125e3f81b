import { type ChannelSettings, type MeshRequest, type MeshResponse, TransportFailure } from "@heddle/core";
import type { Dial } from "./dial.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { Http2Session, type Http2SessionOwner } from "./http2-session.ts";
import type { OpenSockets } from "./open-sockets.ts";
import { transportFailure } from "./transport-failure.ts";

/** A server that closes each connection before it takes a request is not asked more often by one request. */
const MOST_SESSIONS_LOST = 3;

/** The connection that takes requests now, and the requests for which it has no stream, or which wait until it is there. */
export class Http2Queue implements Http2SessionOwner {
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open: OpenSockets;
  /** In the order they came. */
  readonly #waiting = new Set<Http2Exchange>();
  #session: Http2Session | null = null;
  #whenEmpty: (() => void)[] = [];

  constructor(settings: ChannelSettings, dial: Dial, open: OpenSockets) {
    this.#settings = settings;
    this.#dial = dial;
    this.#open = open;
  }

  get isUnused(): boolean {
    return this.#session === null && this.#waiting.size === 0;
  }

  take(request: MeshRequest): Promise<MeshResponse> {
    return new Promise((resolve, reject) => {
      const exchange = new Http2Exchange(request, this, { resolve, reject });
      this.#waiting.add(exchange);
      this.#startWaiting();
    });
  }

  /** It waits no more. */
  forget(exchange: Http2Exchange): void {
    if (!this.#waiting.delete(exchange) || this.#waiting.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /** What waits is still sent; whoever closes gives it nothing new. */
  async close(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    this.#session?.close();
  }

  destroy(reason: Error): void {
    this.#refuse(transportFailure(reason, false, false));
    this.#session?.close();
  }

  hasRoom(): void {
    this.#startWaiting();
  }

  isLost(session: Http2Session, failure: unknown): void {
    if (session !== this.#session) return;
    this.#session = null;
    if (failure !== null) this.#refuse(failure);
    else this.#countLoss();
    this.#startWaiting();
  }

  #startWaiting(): void {
    for (const exchange of this.#waiting) {
      if (!this.#session?.hasRoom) break;
      this.#start(this.#session, exchange);
    }
    const [first] = this.#waiting;
    if (first && this.#session === null) this.#openSession(first.authority);
  }

  #start(session: Http2Session, exchange: Http2Exchange): void {
    try {
      if (session.start(exchange)) this.forget(exchange);
    } catch (error) {
      // What node:http2 refuses to write is the caller's mistake.
      exchange.refuse(error);
    }
  }

  #openSession(authority: string): void {
    const session = new Http2Session(this.#settings, this);
    this.#session = session;
    session.open(this.#dial, this.#open, authority);
  }

  #countLoss(): void {
    for (const exchange of [...this.#waiting]) {
      if (++exchange.sessionsLost < MOST_SESSIONS_LOST) continue;
      const words = `${MOST_SESSIONS_LOST} connections were closed by the server before it took the request`;
      exchange.refuse(new TransportFailure("connect-failure", words));
    }
  }

  #refuse(failure: unknown): void {
    for (const exchange of [...this.#waiting]) exchange.refuse(failure);
  }
}
