import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { type ChannelSettings, systemClock, TransportFailure } from "@heddle/core";
import { startConnectTimer } from "./connect-timer.ts";
import type { Dial } from "./dial.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import { nameOf, sessionFailure } from "./http2-failure.ts";
import type { OpenSockets } from "./open-sockets.ts";
import { failureOfHandshake } from "./tls-failure.ts";
import { transportFailure } from "./transport-failure.ts";

/** What a response may have sent before its reader takes any of it: what a body holds, so that a small one ends unread. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** Of all streams together, so that slow readers do not hold up the others. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
/** Node resets streams beyond it; what is held is bounded by the windows. */
const MOST_MEMORY_MB = 1_024;
/** Unused this long, the connection is closed; the next request opens another. */
const IDLE_MS = 60_000;
/** Servers take it ill to be asked more often whether they are there. */
const PROBE_EVERY_MS = 10_000;
const LEAST_PROBE_MS = 1_000;

const OPTIONS = {
  settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  maxSessionMemory: MOST_MEMORY_MB,
};

/** Of a session that lost its peer before it was open, or goes away. */
export interface Http2SessionOwner {
  /** It can take a request, or another one. */
  hasRoom(session: Http2Session): void;
  /** It takes no more; `failure`: it never took any. */
  isLost(session: Http2Session, failure: unknown): void;
}

type State = "opening" | "open" | "leaving" | "closed";

/**
 * One HTTP/2 connection. It is open when the server's settings have come, within the connect timeout: by then the server has proved to
 * speak HTTP/2, and to take this process for a client, while nothing of a request was written.
 */
export class Http2Session {
  /** Of the connection; a later one has a higher number. */
  number = 0;
  /** Complete exchanges on it. */
  exchanges = 0;
  /** A peer that goes away looks at no stream above it. */
  lastStream: number = Number.POSITIVE_INFINITY;
  brokenBy: Error | null = null;
  readonly #settings: ChannelSettings;
  readonly #owner: Http2SessionOwner;
  #state: State = "opening";
  #socket: Socket | null = null;
  #session: ClientHttp2Session | null = null;
  #streams = 0;
  #mostStreams = 0;
  #usedAt = 0;
  #probedAt: number = Number.NEGATIVE_INFINITY;
  #stopOpening: () => void = nothing;
  #stopIdle: () => void = nothing;
  #stopProbe: () => void = nothing;

  constructor(settings: ChannelSettings, owner: Http2SessionOwner) {
    this.#settings = settings;
    this.#owner = owner;
  }

  open(dial: Dial, sockets: OpenSockets, authority: string): void {
    const { address, connectTimeoutMs } = this.#settings;
    const startedAt = systemClock.now();
    dial((error, socket) => {
      if (socket === null) {
        this.#end(transportFailure(error, false, false));
        return;
      }
      this.#socket = socket;
      this.number = sockets.add(socket);
      const leftMs = Math.max(1, connectTimeoutMs - (systemClock.now() - startedAt));
      const words = `no HTTP/2 settings from ${address} within ${connectTimeoutMs} ms: it took the connection and stayed silent; does it speak HTTP/2?`;
      this.#stopOpening = startConnectTimer(leftMs, () => this.#break(new Error(words)));
      this.#speak(socket);
    }, authority);
  }

  get hasRoom(): boolean {
    return this.#state === "open" && this.#streams < this.#mostStreams;
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  /** Whether it took the exchange; throws where the request itself cannot be sent. */
  start(exchange: Http2Exchange): boolean {
    const session = this.#session;
    const head = exchange.head();
    if (session === null || session.closed || session.destroyed) {
      this.#leave();
      return false;
    }
    let stream: ReturnType<ClientHttp2Session["request"]>;
    try {
      stream = session.request(head, { endStream: exchange.isBodiless });
    } catch (error) {
      if (!isOfTheSession(error)) throw error;
      this.#leave();
      return false;
    }
    if (this.#streams++ === 0) session.ref();
    exchange.carriedBy(this, stream);
    stream.once("close", () => this.#streamEnded());
    return true;
  }

  /** Asks whether the peer is still there, when a request was given up that it had not answered; a dead connection is cut. */
  probe(): void {
    const session = this.#session;
    const now = systemClock.now();
    if (session === null || session.destroyed || now - this.#probedAt < PROBE_EVERY_MS) return;
    this.#probedAt = now;
    const limitMs = Math.max(LEAST_PROBE_MS, this.#settings.connectTimeoutMs);
    this.#stopProbe();
    this.#stopProbe = startConnectTimer(limitMs, () => this.#break(new Error(`no answer to a PING within ${limitMs} ms`)));
    session.ping(this.#stopProbe);
  }

  /** Takes no more, and closes once its streams have ended. */
  close(): void {
    if (this.#state === "opening") this.#break(new Error("nobody waits for the connection any more"));
    else this.#leave();
  }

  #speak(socket: Socket): void {
    const session = connect("http://mesh.invalid", { ...OPTIONS, createConnection: () => socket });
    this.#session = session;
    session.on("error", (error) => {
      this.brokenBy ??= error;
    });
    session.on("goaway", (code, lastStream) => {
      this.lastStream = lastStream;
      if (code !== constants.NGHTTP2_NO_ERROR)
        this.brokenBy ??= new TransportFailure("reset", `the server closed the connection (GOAWAY ${nameOf(code)})`);
      this.#leave();
    });
    session.on("remoteSettings", ({ maxConcurrentStreams }) => this.#settled(session, maxConcurrentStreams));
    // Node's session waits for its last write, which a connection that TLS gave up never completes.
    socket.on("error", (error) => {
      this.brokenBy ??= error;
      socket.destroy();
    });
    socket.on("close", () => this.#end(this.#openFailure()));
  }

  #settled(session: ClientHttp2Session, mostStreams: number | undefined): void {
    this.#mostStreams = mostStreams ?? Number.POSITIVE_INFINITY;
    if (this.#state === "opening") {
      this.#state = "open";
      this.#stopOpening();
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      session.unref();
      this.#usedAt = systemClock.now();
      this.#watchIdle(IDLE_MS);
    }
    if (this.hasRoom) this.#owner.hasRoom(this);
  }

  #streamEnded(): void {
    if (--this.#streams === 0) {
      this.#usedAt = systemClock.now();
      this.#session?.unref();
      if (this.#state === "leaving") this.#session?.close();
    }
    if (this.hasRoom) this.#owner.hasRoom(this);
  }

  /** One timer as long as it is open, and none for each request. */
  #watchIdle(afterMs: number): void {
    const look = () => {
      const leftMs = this.#streams > 0 ? IDLE_MS : this.#usedAt + IDLE_MS - systemClock.now();
      if (leftMs > 0) this.#watchIdle(leftMs);
      else this.#leave();
    };
    const timer = systemClock.setTimer(afterMs, look, "idle");
    this.#stopIdle = () => systemClock.clearTimer(timer);
  }

  #leave(): void {
    if (this.#state === "closed" || this.#state === "leaving") return;
    if (this.#state === "opening") {
      this.#session?.close();
      return;
    }
    this.#state = "leaving";
    // Node's GOAWAY overtakes requests that are not written yet, and a server looks at nothing that comes after one.
    if (this.#streams === 0) this.#session?.close();
    this.#owner.isLost(this, null);
  }

  #break(error: Error): void {
    this.brokenBy ??= error;
    if (this.#socket) this.#socket.destroy(error);
    else this.#end(new TransportFailure("connect-failure", error.message, { cause: error }));
  }

  #openFailure(): unknown {
    const error = this.brokenBy ?? this.#socket?.errored ?? new Error("the server closed the connection before it sent HTTP/2 settings");
    const refused = failureOfHandshake(this.#socket, error, false);
    if (refused) return refused;
    const failure = sessionFailure(error);
    if (!(failure instanceof TransportFailure) || failure.kind === "protocol-error") return failure;
    return new TransportFailure("connect-failure", failure.message, { cause: failure.cause });
  }

  #end(failure: unknown): void {
    const state = this.#state;
    if (state === "closed") return;
    this.#state = "closed";
    this.#stopOpening();
    this.#stopIdle();
    this.#stopProbe();
    if (state === "opening") this.#owner.isLost(this, failure);
    else if (state === "open") this.#owner.isLost(this, null);
  }
}

function nothing(): void {}

/** It goes away, or has no numbers left for streams; a request that was not taken is as good as before. */
function isOfTheSession(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "ERR_HTTP2_GOAWAY_SESSION" || code === "ERR_HTTP2_INVALID_SESSION" || code === "ERR_HTTP2_OUT_OF_STREAMS";
}
