/** Who called, as its certificate says, which was verified. */
export interface Peer {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** As the paths of Istio, Kubernetes and Consul name it; null where the path names none. */
  readonly namespace: string | null;
  readonly serviceAccount: string | null;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
}

/** A token that was verified. */
export interface VerifiedToken {
  /** Which rule of the configuration it is valid under. */
  readonly rule: string;
  readonly issuer: string;
  readonly subject: string | null;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

/** One element of `x-forwarded-client-cert`: whom a proxy served, and how it was called. Believed from trusted peers only. */
export interface ForwardedPeer {
  /** URI names of the client's certificate: its SPIFFE ID. */
  readonly uris: readonly string[];
  /** URI name of the proxy's own certificate. */
  readonly by: string | null;
  /** SHA-256 of the client's certificate, in hex. */
  readonly hash: string | null;
  readonly subject: string | null;
  readonly dnsNames: readonly string[];
}

/** What the mesh knows about the request being served: `req.mesh`, and `context()` where there is no `req`. */
export interface InboundRequestContext {
  /** The authenticated caller; undefined where the connection has no mutual TLS. */
  readonly peer: Peer | undefined;
  /** The verified token of the caller; undefined where it sent none, or the policy looks at none. */
  readonly jwt: VerifiedToken | undefined;
  /** Whom the peer says it serves, nearest last; empty unless the peer is one that is trusted to say so. */
  readonly forwardedPeers: readonly ForwardedPeer[];
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
