import { type ClientHttp2Session, constants } from "node:http2";
import type { Socket } from "node:net";
import { systemClock, TransportFailure } from "@heddle/core";
import { http2ErrorName, startConnectTimer } from "@heddle/http";
import type { CarryingConnection } from "./grpc-exchange.ts";
import type { GrpcJsTransport } from "./grpc-js-transport.ts";

/** Of all streams together, so that slow readers do not hold up the others. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
/** Servers take it ill to be asked more often whether they are there, and worse the more often they have said so. */
const FIRST_PROBE_EVERY_MS = 10_000;
const LAST_PROBE_EVERY_MS = 5 * 60_000;
const LEAST_PROBE_MS = 1_000;

/** Unused this long, a connection is closed; the next call opens another. */
const IDLE_MS = 5 * 60_000;

/** One HTTP/2 connection on which grpc-js speaks. */
export class GrpcConnection implements CarryingConnection {
  /** A later connection has a higher one. */
  readonly number: number;
  readonly socket: Socket;
  /** Complete exchanges on it. */
  exchanges = 0;
  /** It takes no more calls. */
  hasLeft = false;
  /** Calls on it now. */
  calls = 0;
  brokenBy: Error | null = null;
  session: ClientHttp2Session | null = null;
  transport: GrpcJsTransport | null = null;
  readonly #hasRoom: () => void;
  #mostCalls = 0;
  #usedAt = 0;
  #stopIdle: () => void = () => undefined;
  #probedAt: number = Number.NEGATIVE_INFINITY;
  #probeEveryMs = FIRST_PROBE_EVERY_MS;

  /** `hasRoom` is called when the server allows another number of streams. */
  constructor(socket: Socket, number: number, hasRoom: () => void) {
    this.socket = socket;
    this.number = number;
    this.#hasRoom = hasRoom;
    socket.on("error", (error) => {
      this.brokenBy ??= error;
      // Node's session waits for its last write, which a connection that TLS gave up never completes.
      socket.destroy();
    });
    socket.on("close", () => this.#stopIdle());
  }

  get bytesRead(): number {
    return this.socket.bytesRead;
  }

  /** Calls that the server has a stream for. */
  get mostCalls(): number {
    return this.#mostCalls;
  }

  /** Called again when grpc-js, which opens the session, has taken all listeners off it. */
  speaks(session: ClientHttp2Session): void {
    this.session = session;
    session.on("error", (error) => {
      this.brokenBy ??= error;
    });
    session.on("goaway", (code) => {
      if (code === constants.NGHTTP2_NO_ERROR) return;
      this.brokenBy ??= new TransportFailure("reset", `the server closed the connection (GOAWAY ${http2ErrorName(code)})`);
    });
    session.on("remoteSettings", ({ maxConcurrentStreams }) => {
      this.#mostCalls = maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
      this.#hasRoom();
    });
  }

  isOpen(transport: GrpcJsTransport): void {
    const session = this.session as ClientHttp2Session;
    this.transport = transport;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#mostCalls = session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    this.#usedAt = systemClock.now();
    this.#watchIdle(IDLE_MS);
  }

  callEnded(isComplete: boolean): void {
    if (isComplete) this.exchanges++;
    if (--this.calls === 0) this.#usedAt = systemClock.now();
  }

  /** Takes no more calls, and closes when those that it has are over. grpc-js is told what it would be by a server that goes away. */
  retire(): void {
    this.session?.emit("goaway", constants.NGHTTP2_NO_ERROR, 0);
  }

  /** One timer as long as it is open, and none for each call. */
  #watchIdle(afterMs: number): void {
    const look = () => {
      const leftMs = this.calls > 0 ? IDLE_MS : this.#usedAt + IDLE_MS - systemClock.now();
      if (leftMs > 0) this.#watchIdle(leftMs);
      else this.retire();
    };
    const timer = systemClock.setTimer(afterMs, look, "idle");
    this.#stopIdle();
    this.#stopIdle = () => systemClock.clearTimer(timer);
  }

  /** Asks whether the peer is still there, when a call was given up that it had not answered; a dead connection is cut. */
  probe(connectTimeoutMs: number): void {
    const { session } = this;
    const now = systemClock.now();
    if (session === null || session.destroyed || now - this.#probedAt < this.#probeEveryMs) return;
    this.#probedAt = now;
    const limitMs = Math.max(LEAST_PROBE_MS, connectTimeoutMs);
    const stop = startConnectTimer(limitMs, () => this.socket.destroy(new Error(`no answer to a PING within ${limitMs} ms`)));
    this.socket.once("close", stop);
    session.ping(() => {
      stop();
      this.socket.off("close", stop);
      this.#probeEveryMs = Math.min(LAST_PROBE_EVERY_MS, this.#probeEveryMs * 2);
    });
  }
}
