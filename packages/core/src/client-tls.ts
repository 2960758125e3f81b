import type { ConnectionOptions, TLSSocket } from "node:tls";

/** TLS towards the endpoints of a backend: all that a transport needs to shake hands, and to know whom it reached. */
export interface ClientTls {
  /** Two of equal keys do the same; channels are told apart by it. Holds no secret. */
  readonly key: string;
  readonly mode: "simple" | "mutual";
  /**
   * For `tls.connect`, beside the socket. Asked for each connection, so that a new one has the newest certificate. `authority`: of the
   * request that it is opened for. Throws a MeshError `no_identity` where this process has no certificate that is valid now, or no roots
   * to verify the server by.
   */
  connectOptions(authority: string): ConnectionOptions;
  /**
   * Why a connection must not be used; null: the peer is who it has to be. Asked once the handshake is complete, before a byte is
   * written, whatever Node thinks of the connection.
   */
  refusal(socket: TLSSocket, authority: string): Error | null;
  /**
   * Until when what the peer proved holds, in wall-clock time: a connection that was not refused must not outlive it. Infinity: as long as
   * the connection lasts. Core asks it itself of every connection for which a transport asked `refusal`, and closes the channel then.
   */
  provenUntilMs(socket: TLSSocket): number;
  /**
   * Called at once after `tls.connect`, with its socket. What it returns takes the error that a handshake ended with and says why this side
   * refused whom it met, in words that name both; null: the error has nothing to do with that. Node verifies before it tells anybody, and
   * names neither.
   */
  watch(socket: TLSSocket, authority: string): (error: Error) => Error | null;
}
