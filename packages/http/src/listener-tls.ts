import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type AdmittedPeer, type DeadlineEntry, MeshError, type ServerTls } from "@heddle/core";
import { AdmittedConnections, type ConnectionUse } from "./admitted-connections.ts";
import { peekFirstByte } from "./first-byte.ts";
import { peerAddressOf } from "./node-connection.ts";
import type { Serving } from "./node-serving.ts";

/** How long a connection may take from being accepted to its first byte, or to the end of its handshake: the whole way in. */
export const ENTRY_LIMIT_MS = 10_000;

/** The type of a TLS record that opens a handshake (RFC 8446 5.1). No HTTP request begins with it. */
const HANDSHAKE_RECORD = 22;

/** What stands behind an entrance, where it is not HTTP/1. */
export interface EntranceOptions {
  /** What is spoken over TLS (RFC 7301). Default: as the mesh's TLS says, http/1.1. */
  readonly alpn?: readonly string[];
  /** Default: that of HTTP/1. */
  readonly use?: ConnectionUse;
}

/** A connection that HTTP has not got yet. */
interface Arrival {
  readonly raw: Duplex;
  readonly from: string;
  isShakingHands: boolean;
}

/**
 * Stands before the server's own `connection` listeners: what the mesh's mode for TLS lets in gets to them, as a TLSSocket whose peer is
 * verified where it speaks TLS, or as it came. A connection is held to the mode in force when it is accepted.
 */
export class Entrance {
  readonly #serving: Serving;
  readonly #tls: ServerTls;
  readonly #admit: (socket: Duplex) => void;
  readonly #alpn: readonly string[] | undefined;
  readonly #arrivals = new Map<Arrival, DeadlineEntry>();
  readonly #admitted: AdmittedConnections;

  /** `admit`: what `server` does with a new connection. */
  constructor(serving: Serving, admit: (socket: Duplex) => void, { alpn, use }: EntranceOptions = {}) {
    this.#serving = serving;
    this.#tls = serving.mesh.serverTls;
    this.#admit = admit;
    this.#alpn = alpn;
    this.#admitted = new AdmittedConnections(serving, use);
  }

  enter(raw: Duplex): void {
    if (this.#tls.mode() === "disable") {
      this.#admit(raw);
      return;
    }
    const arrival = this.#hold(raw);
    peekFirstByte(raw, (byte) => {
      if (byte === null) raw.destroy();
      else if (byte === HANDSHAKE_RECORD) this.#shakeHands(arrival);
      // Whether plain text may have anything, health requests apart, is decided where it can be answered.
      else this.#admitPlain(arrival);
    });
  }

  /** Nothing gets in any more, and nothing is left of what did. */
  close(): void {
    this.#admitted.close();
  }

  /** Cuts what has not sent a request, and cannot have one in flight. */
  cut(): void {
    for (const { raw } of [...this.#arrivals.keys()]) raw.destroy();
  }

  #hold(raw: Duplex): Arrival {
    const arrival: Arrival = { raw, from: peerAddressOf(raw) ?? "a unix socket", isShakingHands: false };
    const late = () => {
      // One that says nothing is no stranger to be told of: port checks and browsers do so.
      if (arrival.isShakingHands) this.#refuse(arrival, `its handshake took longer than ${ENTRY_LIMIT_MS / 1_000} s`);
      else raw.destroy();
    };
    this.#arrivals.set(arrival, this.#serving.mesh.deadlines.add(ENTRY_LIMIT_MS, late));
    // Also for after the handshake: what breaks is told by the TLSSocket.
    raw.on("error", ignoreReset);
    raw.once("close", () => this.#release(arrival));
    return arrival;
  }

  #release(arrival: Arrival): void {
    const limit = this.#arrivals.get(arrival);
    if (limit) this.#serving.mesh.deadlines.remove(limit);
    this.#arrivals.delete(arrival);
  }

  #admitPlain(arrival: Arrival): void {
    this.#release(arrival);
    arrival.raw.off("error", ignoreReset);
    this.#admit(arrival.raw);
  }

  #shakeHands(arrival: Arrival): void {
    const socket = this.#secure(arrival);
    if (socket === null) return;
    arrival.isShakingHands = true;
    const left = () => arrival.raw.destroy();
    const failed = (error: Error) => {
      const reason = handshakeFailure(error);
      if (reason !== null) this.#tls.refused(reason, arrival.from);
      arrival.raw.destroy();
    };
    socket.once("error", failed);
    socket.once("end", left);
    socket.once("secure", () => {
      socket.off("end", left);
      const admitted = this.#verified(arrival, socket);
      if (admitted === null) return;
      socket.off("error", failed);
      this.#release(arrival);
      // Whoever was verified stays who it is: a second handshake could bring another certificate.
      socket.disableRenegotiation();
      // As a tls.Server notes it: until then HTTP/2 waits for the handshake.
      (socket as { secureConnecting?: boolean }).secureConnecting = false;
      this.#serving.connections.secured(socket, admitted);
      this.#admitted.add(socket, admitted);
      this.#admit(socket);
    });
  }

  #secure(arrival: Arrival): TLSSocket | null {
    try {
      const alpn = this.#alpn === undefined ? {} : { ALPNProtocols: [...this.#alpn] };
      const socket = new TLSSocket(arrival.raw as Socket, { ...this.#tls.socketOptions(), ...alpn, isServer: true });
      // A TLSSocket that no tls.Server made tells errors after the handshake by this event alone, and stays open as if nothing were wrong.
      socket.on("_tlsError", (error: Error) => socket.destroy(error));
      return socket;
    } catch (error) {
      this.#refuse(arrival, reasonOf(error));
      return null;
    }
  }

  /** null: it was refused. */
  #verified(arrival: Arrival, socket: TLSSocket): AdmittedPeer | null {
    try {
      const verdict = this.#tls.verify(socket);
      if ("peer" in verdict) return verdict;
      this.#refuse(arrival, verdict.refused);
    } catch (error) {
      // Thrown out of the event it would end the process. What cannot be decided is refused.
      this.#refuse(arrival, reasonOf(error));
    }
    return null;
  }

  #refuse({ raw, from }: Arrival, reason: string): void {
    this.#tls.refused(reason, from);
    raw.destroy();
  }
}

/** Null where the other end just left. */
function handshakeFailure(error: Error & { readonly code?: unknown; readonly reason?: unknown }): string | null {
  const { code, reason, message } = error;
  if (typeof code !== "string" || !/^ERR_(SSL|TLS)/.test(code)) return null;
  // OpenSSL's message has the number of a thread and a line of its source in it.
  return `the handshake failed: ${typeof reason === "string" ? reason : message}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof MeshError) return error.message;
  return error instanceof Error ? error.message : String(error);
}

function ignoreReset(): void {
  // "close" follows.
}
