import type { HeaderMap } from "../message.ts";
import type { ClientAddress } from "./client-address.ts";
import type { IpAddress } from "./terms/ip-block.ts";
import type { NormalisedPath } from "./terms/normalise-path.ts";

/** What a request is decided by. Whoever makes it has verified what stands in it; fields may be getters that work on first need. */
export interface RequestFacts {
  /** null: the connection proves no identity. */
  readonly peer: PeerIdentity | null;
  /** null: the request carries no token. One that is not valid never gets here. */
  readonly token: TokenIdentity | null;
  readonly peerIp: IpAddress | null;
  readonly clientIp: ClientAddress;
  readonly localIp: IpAddress | null;
  readonly localPort: number | null;
  /** null: no TLS, or no name asked for. */
  readonly sni: string | null;
  /** As sent, with its port; empty: there is none. */
  readonly authority: string;
  readonly method: string;
  readonly path: NormalisedPath;
  readonly headers: HeaderMap;
}

/** Whose identity a condition asks for: the name of the fact. */
export type Identity = "peer" | "token";

export interface PeerIdentity {
  /** `spiffe://...` */
  readonly id: string;
  readonly trustDomain: string;
  /** null where the path of the identity names none. */
  readonly namespace: string | null;
  readonly serviceAccount: string | null;
}

export interface TokenIdentity {
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly audiences: readonly string[];
  /** `azp`. */
  readonly presenter: string | null;
  readonly claims: Readonly<Record<string, unknown>>;
}
