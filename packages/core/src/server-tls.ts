import type { SecureContextOptions, TLSSocket, TLSSocketOptions } from "node:tls";
import type { MeshError } from "./errors.ts";
import type { Peer } from "./inbound-request-context.ts";

/** TLS of connections that come in: all that a listener needs to shake hands, and to know who called. */
export interface ServerTls {
  /** What a connection that is made now is held to. It may change at any time; a connection keeps what it began with. */
  mode(): "strict" | "permissive" | "disable";
  /** For `new TLSSocket(raw, { isServer: true, ... })`. Throws a MeshError `no_identity` where there is no certificate valid now. */
  socketOptions(): TLSSocketOptions;
  /**
   * For a server that makes its contexts itself, and whose peers are verified later: certificate, key and roots in force until `onChange`.
   * Throws as `socketOptions`. Nothing may log or keep it.
   */
  contextOptions(): SecureContextOptions;
  /** Who is at the other end, asked once the handshake is complete; or why the connection must be closed. */
  verify(socket: TLSSocket): ServerTlsVerdict;
  /** A connection that was refused: counted, and told as a problem (not each one: strangers must not fill the log). */
  refused(reason: string, from: string): void;
  /** Calls back when what was believed of connections may be believed no longer: each is to be asked again. Returns a function that ends it. */
  onChange(listener: () => void): () => void;
}

export type ServerTlsVerdict = AdmittedPeer | { readonly refused: string };

export interface AdmittedPeer {
  /** null: it presented nothing, where that is allowed. */
  readonly peer: Peer | null;
  /**
   * Whether what was proved would still be believed, in `inMs` from now as well: neither its certificate nor this side's has expired, and
   * the roots that verified it are not withdrawn. Where it would not, nothing that comes is served any more, and the connection is to be
   * closed as soon as no answer is under way; who comes again has to prove itself again.
   */
  isCurrent(inMs?: number): boolean;
  /** Where it is not current: why a request is refused. */
  doubt?(): MeshError;
}
