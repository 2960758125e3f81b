import type { ServerHttp2Session } from "node:http2";
import { TLSSocket } from "node:tls";
import { type InboundConnection, MeshError } from "@heddle/core";
import type { Serving } from "@heddle/http";

/** Connections of servers that bind themselves: known from the first call on them, when their peer is verified. */
export class BoundConnections {
  readonly #serving: Serving;
  readonly #sessions = new Map<ServerHttp2Session, InboundConnection>();

  constructor(serving: Serving) {
    this.#serving = serving;
  }

  /** Of a peer that does not prove who it is, one on which nothing is served. */
  of(session: ServerHttp2Session): InboundConnection {
    const known = this.#sessions.get(session);
    if (known) return known;
    const connection = this.#look(session);
    this.#sessions.set(session, connection);
    session.once("close", () => this.#sessions.delete(session));
    return connection;
  }

  /** Callers begin no call on them any more, and those under way finish. */
  finishAll(): void {
    for (const session of [...this.#sessions.keys()]) session.close();
  }

  destroyAll(): void {
    for (const session of [...this.#sessions.keys()]) session.destroy();
  }

  #look(session: ServerHttp2Session): InboundConnection {
    const { connections, mesh } = this.#serving;
    const { socket } = session;
    // Node shows a stand-in of the socket, of which is known what is asked here, and which is one for as long as the session is.
    if (!(socket instanceof TLSSocket)) return connections.of(socket);
    const verdict = mesh.serverTls.verify(socket);
    if ("refused" in verdict) {
      mesh.serverTls.refused(verdict.refused, socket.remoteAddress ?? "a unix socket");
      const doubt = () => new MeshError("mtls_required", `its connection proves nothing: ${verdict.refused}`);
      return { ...connections.of(socket), isCurrent: () => false, doubt };
    }
    connections.secured(socket, verdict);
    return connections.of(socket);
  }
}
