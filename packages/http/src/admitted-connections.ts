import type { EventEmitter } from "node:events";
import type { OutgoingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { AdmittedPeer, DeadlineEntry } from "@heddle/core";
import type { Serving } from "./node-serving.ts";

/** So long before its end a connection is closed when it has nothing in flight, so that no request comes to one that has ended. */
export const ENDS_SOON_MS = 10_000;
/** Certificates end without an event, and the wall clock may jump. */
const LOOK_MS = 5_000;
/** What is under way when a connection ends may finish for so long, as on connections out. */
const FINISH_MS = 5 * 60_000;

/** What the server makes of its connections. */
export interface ConnectionUse {
  /** What is under way on it and may finish, as far as anything is; it tells its end as "close". */
  underWay(socket: TLSSocket): Pick<EventEmitter, "once"> | null;
  /** Called, maybe more than once, when what was proved has ended or soon will, and nothing that has to be waited for is under way. */
  close(socket: TLSSocket): void;
}

/** Node keeps on the socket which answer has its turn. */
const HTTP1_USE: ConnectionUse = {
  underWay: (socket: TLSSocket & { readonly _httpMessage?: OutgoingMessage | null }) => socket._httpMessage ?? null,
  close: (socket) => socket.destroy(),
};

interface Admitted {
  readonly peer: AdmittedPeer;
  /** Since when it is known to be believed no longer; null: it is. */
  endedAt: number | null;
}

/**
 * Connections whose peer was verified, and which therefore end with what was proved: when a certificate ends, or a root is withdrawn. One
 * with nothing in flight is closed then, and so is one that was upgraded; an answer that is under way may finish, within five minutes.
 */
export class AdmittedConnections {
  readonly #serving: Serving;
  readonly #use: ConnectionUse;
  readonly #open = new Map<TLSSocket, Admitted>();
  #forget: (() => void) | null = null;
  #look: DeadlineEntry | null = null;
  #isClosed = false;

  constructor(serving: Serving, use: ConnectionUse = HTTP1_USE) {
    this.#serving = serving;
    this.#use = use;
  }

  add(socket: TLSSocket, peer: AdmittedPeer): void {
    this.#open.set(socket, { peer, endedAt: null });
    socket.once("close", () => this.#open.delete(socket));
    if (this.#isClosed) return;
    this.#forget ??= this.#serving.mesh.serverTls.onChange(() => this.#endAll());
    this.#lookLater();
  }

  /** The server has closed: there is nothing more to look after. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#forget?.();
    if (this.#look) this.#serving.mesh.deadlines.remove(this.#look);
  }

  #lookLater(): void {
    if (this.#look !== null || this.#isClosed || this.#open.size === 0) return;
    this.#look = this.#serving.mesh.deadlines.add(LOOK_MS, () => {
      this.#look = null;
      this.#endAll();
      this.#lookLater();
    });
  }

  #endAll(): void {
    for (const [socket, admitted] of [...this.#open]) this.#end(socket, admitted);
  }

  #end(socket: TLSSocket, admitted: Admitted): void {
    const { peer } = admitted;
    const answer = this.#use.underWay(socket);
    const isUpgraded = this.#serving.connections.isUpgraded(socket);
    // Only what has nothing in flight is closed ahead of its time.
    if (peer.isCurrent(answer === null && !isUpgraded ? ENDS_SOON_MS : 0)) {
      admitted.endedAt = null;
      return;
    }
    const now = this.#serving.mesh.clock.now();
    const isNew = admitted.endedAt === null;
    admitted.endedAt ??= now;
    // Bytes of the answer before may be on their way still.
    const isSending = answer !== null || (socket.writableLength > 0 && !isUpgraded);
    if (now - admitted.endedAt >= FINISH_MS) socket.destroy();
    else if (!isSending) this.#use.close(socket);
    else if (answer !== null && isNew) answer.once("close", () => this.#end(socket, admitted));
  }
}
