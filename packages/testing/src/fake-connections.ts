import { type Cancel, type ChannelSettings, type Clock, sleep, TransportFailure } from "@heddle/core";
import type { ScriptedEndpoint } from "./fake-endpoint.ts";

/** One connection of a {@link FakeConnections}. */
export interface FakeConnection {
  isOpen: boolean;
  /** A later one has a higher number; 0 until it is open. */
  number: number;
  inFlight: number;
  /** Complete exchanges it has carried. */
  exchanges: number;
}

/** What connections are made in. */
export interface FakeSurroundings {
  readonly clock: Clock;
  readonly asksIdentity: boolean;
}

/** The connections of one channel: one exchange at a time each in HTTP/1, all over one otherwise; what finds none free waits in line. */
export class FakeConnections {
  readonly #settings: ChannelSettings;
  readonly #endpoint: ScriptedEndpoint;
  readonly #clock: Clock;
  readonly #asksIdentity: boolean;
  readonly #all: FakeConnection[] = [];
  #waiting: (() => void)[] = [];

  constructor(settings: ChannelSettings, endpoint: ScriptedEndpoint, { clock, asksIdentity }: FakeSurroundings) {
    this.#settings = settings;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#asksIdentity = asksIdentity;
  }

  get open(): number {
    return this.#all.filter((connection) => connection.isOpen).length;
  }

  /** A place for one exchange, on a connection that is open or still to be made. Rejects with the reason when `stop` is cancelled. */
  async place(stop: Cancel): Promise<FakeConnection> {
    for (;;) {
      if (stop.isCancelled) throw stop.reason;
      const free = this.#free();
      if (free) {
        free.inFlight++;
        return free;
      }
      await this.#turn(stop);
      // Cancelled after it was woken: its turn is the next one's.
      if (stop.isCancelled) this.#waiting.shift()?.();
    }
  }

  /**
   * Makes the connection. With TLS this process must have what the handshake needs, by the virtual clock: a certificate that is valid and
   * roots of the server's trust domain; what the endpoint would present is not asked. `isSilent`: nobody answers, and it fails when the
   * connect timeout has passed.
   */
  async connect(connection: FakeConnection, authority: string, isSilent: boolean, stop: Cancel): Promise<void> {
    if (connection.isOpen) return;
    if (this.#asksIdentity) this.#settings.tls?.connectOptions(authority);
    if (isSilent) {
      await sleep(this.#clock, this.#settings.connectTimeoutMs, stop);
      throw this.failure(`no connection within ${this.#settings.connectTimeoutMs} ms`);
    }
    connection.isOpen = true;
    connection.number = ++this.#endpoint.connections.opened;
  }

  /** Gives a place back. In HTTP/1 a connection whose exchange broke is not used again; elsewhere only the stream is lost. */
  release(connection: FakeConnection, isReusable: boolean): void {
    connection.inFlight--;
    if (isReusable) connection.exchanges++;
    else if (!connection.isOpen || this.#settings.protocol === "http1") this.#drop(connection);
    this.#waiting.shift()?.();
  }

  /** The other side is gone: connections that idle are too. */
  dropIdle(): void {
    for (const connection of this.#all.slice()) if (connection.inFlight === 0) this.#drop(connection);
  }

  failure(what: string, cause?: unknown): TransportFailure {
    return new TransportFailure("connect-failure", `connecting to ${this.#settings.address}: ${what}`, { cause });
  }

  #free(): FakeConnection | null {
    const isShared = this.#settings.protocol !== "http1";
    const usable = this.#all.find((connection) => isShared || connection.inFlight === 0);
    if (usable) return usable;
    if (this.#all.length >= this.#settings.maxConnections) return null;
    const connection: FakeConnection = { isOpen: false, number: 0, inFlight: 0, exchanges: 0 };
    this.#all.push(connection);
    return connection;
  }

  #drop(connection: FakeConnection): void {
    const index = this.#all.indexOf(connection);
    if (index < 0) return;
    this.#all.splice(index, 1);
    if (connection.isOpen) this.#endpoint.connections.closed++;
    connection.isOpen = false;
  }

  #turn(stop: Cancel): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown) => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== go);
        reject(reason);
      };
      const go = () => {
        stop.offCancel(leave);
        resolve();
      };
      this.#waiting.push(go);
      stop.onCancel(leave);
    });
  }
}
