import type { MeshError } from "./errors.ts";
import type { Peer } from "./inbound-request-context.ts";

/** What a listener knows of the connection that a request came by. One object a connection: what is derived of it is derived once. */
export interface InboundConnection {
  /** null: it proves no identity, as plain text never does. */
  readonly peer: Peer | null;
  /** By TLS that the mesh made itself: what others encrypted proves nothing to it, and is plain text here. */
  readonly isEncrypted: boolean;
  /** The server name asked for in the handshake. */
  readonly sni: string | null;
  /** An IP address; null for a unix socket. */
  readonly peerAddress: string | null;
  readonly localAddress: string | null;
  readonly localPort: number | null;
  /** Whether what was proved would still be believed, in `inMs` from now as well; absent: nothing was proved. */
  readonly isCurrent?: (inMs?: number) => boolean;
  /** Where it is not current: why a request is refused. */
  readonly doubt?: (() => MeshError) | undefined;
}

/** Of a request that was not made by a listener of ours: nothing is known, so nothing is proved. */
export const UNKNOWN_CONNECTION: InboundConnection = Object.freeze({
  peer: null,
  isEncrypted: false,
  sni: null,
  peerAddress: null,
  localAddress: null,
  localPort: null,
});
