/** Who called, as its certificate says. */
export interface Peer {
  readonly spiffeId: string;
}

/** A token that was verified. */
export interface VerifiedToken {
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What the mesh knows about the request being served: `req.mesh`, and `context()` where there is no `req`. */
export interface InboundRequestContext {
  /** The authenticated caller; undefined where the connection has no mutual TLS. */
  readonly peer: Peer | undefined;
  /** The verified token of the caller; undefined where the policy asks for none. */
  readonly jwt: VerifiedToken | undefined;
  /**
   * Aborts when the caller leaves before the response is complete, or when the deadline passes; never on success.
   * Made when first read: a request that does not ask for it pays nothing.
   */
  readonly signal: AbortSignal;
  /** When the caller stops waiting, by this machine's wall clock; undefined if it set no deadline. To calculate, use {@link remainingMs}. */
  readonly deadline: Date | undefined;
  /** Milliseconds until the deadline, by the monotonic clock: 0 once it has passed, Infinity without one. */
  remainingMs(): number;
  /** The framework's pattern of the route taken, such as `/api/:id`; undefined before it is known and where the framework does not tell. */
  readonly route: string | undefined;
}
