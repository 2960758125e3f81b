import type { EventEmitter } from "node:events";
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type InboundConnection, UNKNOWN_CONNECTION } from "@heddle/core";
import { type ConnectionUse, ENTRY_LIMIT_MS, type Serving } from "@heddle/http";

interface Session {
  readonly socket: Duplex;
  readonly connection: InboundConnection;
  /** Streams that are open. */
  open: number;
}

/** The connections of one listener, from when they are let in. What is to end closes in order: GOAWAY, then what is under way, then the connection. */
export class Sessions implements ConnectionUse {
  readonly #serving: Serving;
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  readonly #bySocket = new WeakMap<Duplex, ServerHttp2Session>();
  #arriving: Duplex | null = null;

  constructor(serving: Serving, server: Http2Server) {
    this.#serving = serving;
    server.on("session", (session) => this.#add(session));
    // Bytes that are no HTTP/2; the session has been destroyed.
    server.on("sessionError", () => {});
  }

  /** Node makes the session while `inject` runs, and shows a stand-in of its socket. */
  admit(socket: Duplex, inject: (socket: Duplex) => void): void {
    this.#arriving = socket;
    try {
      inject(socket);
    } finally {
      this.#arriving = null;
    }
  }

  /** What this stream came by, counted as open on it; of a session that was not admitted nothing is known, and nothing proved. */
  enter(stream: ServerHttp2Stream): InboundConnection {
    const session = stream.session === undefined ? undefined : this.#sessions.get(stream.session as ServerHttp2Session);
    if (session === undefined) return UNKNOWN_CONNECTION;
    session.open++;
    stream.once("close", () => session.open--);
    return session.connection;
  }

  /** Callers of all connections begin no call on them any more, and those under way finish. */
  finishAll(): void {
    for (const session of [...this.#sessions.keys()]) session.close();
  }

  destroyAll(): void {
    for (const session of [...this.#sessions.keys()]) session.destroy();
  }

  underWay(socket: TLSSocket): Pick<EventEmitter, "once"> | null {
    const session = this.#bySocket.get(socket);
    return session !== undefined && (this.#sessions.get(session)?.open ?? 0) > 0 ? session : null;
  }

  finish(socket: TLSSocket): void {
    this.#bySocket.get(socket)?.close();
  }

  close(socket: TLSSocket): void {
    const session = this.#bySocket.get(socket);
    if (session === undefined) socket.destroy();
    else session.close();
  }

  #add(session: ServerHttp2Session): void {
    const socket = this.#arriving;
    if (socket === null) return;
    this.#sessions.set(session, { socket, connection: this.#serving.connections.of(socket), open: 0 });
    this.#bySocket.set(socket, session);
    const { deadlines } = this.#serving.mesh;
    // HTTP/2 begins with the settings of both sides: one that does not send its own is no caller.
    const limit = deadlines.add(ENTRY_LIMIT_MS, () => session.destroy());
    session.once("remoteSettings", () => deadlines.remove(limit));
    session.once("close", () => {
      deadlines.remove(limit);
      this.#sessions.delete(session);
    });
  }
}
