/** Why a stream is over. */
export interface StreamEnd {
  /** The name of a gRPC status code, `OK` where the server just ended it. */
  readonly code: string;
  /** What the server, or who could not reach it, said about it. */
  readonly details: string;
}

/** What a stream tells. */
export interface StreamListener {
  /** One message, as it was sent. */
  message(bytes: Uint8Array): void;
  /** Once, the last it tells. */
  end(end: StreamEnd): void;
}

/**
 * Asks the agent for FetchX509SVID over a connection of its own, without trying again, and tells what comes of it. The returned function
 * frees all of it at once (idempotent); after it nothing more is told. Never throws.
 */
export type OpenStream = (listener: StreamListener) => () => void;
