import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type InboundConnection, UNKNOWN_CONNECTION } from "@heddle/core";
import { type ConnectionUse, ENTRY_LIMIT_MS, type Serving } from "@heddle/http";

/** The connections of one listener, from when they are let in. What is to end closes in order: GOAWAY, then what is under way, then the connection. */
export class Sessions implements ConnectionUse {
  readonly #serving: Serving;
  readonly #sessions = new Map<ServerHttp2Session, InboundConnection>();
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

  /** What this stream came by; of a session that was not admitted nothing is known, and nothing proved. */
  connectionOf({ session }: ServerHttp2Stream): InboundConnection {
    return this.#sessions.get(session as ServerHttp2Session) ?? UNKNOWN_CONNECTION;
  }

  /** Callers of all connections begin no call on them any more, and those under way finish. */
  finishAll(): void {
    for (const session of [...this.#sessions.keys()]) session.close();
  }

  destroyAll(): void {
    for (const session of [...this.#sessions.keys()]) session.destroy();
  }

  /** Nothing has to be waited for: what is under way finishes after GOAWAY. */
  underWay(): null {
    return null;
  }

  close(socket: TLSSocket): void {
    const session = this.#bySocket.get(socket);
    if (session === undefined) socket.destroy();
    else session.close();
  }

  #add(session: ServerHttp2Session): void {
    const socket = this.#arriving;
    if (socket === null) return;
    this.#sessions.set(session, this.#serving.connections.of(socket));
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
