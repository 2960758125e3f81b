import type { InboundConnection } from "../inbound-connection.ts";
import type { Peer, VerifiedToken } from "../inbound-request-context.ts";
import type { HeaderMap, MeshRequest } from "../message.ts";
import { type ClientAddress, clientAddress } from "./client-address.ts";
import type { PeerIdentity, RequestFacts, TokenIdentity } from "./facts.ts";
import { type IpAddress, parseAddress } from "./terms/ip-block.ts";
import type { NormalisedPath } from "./terms/normalise-path.ts";

/** What a connection says of every request that comes by it, read once. */
interface ConnectionFacts {
  readonly peer: PeerIdentity | null;
  readonly peerIp: IpAddress | null;
  readonly localIp: IpAddress | null;
}

const remembered = new WeakMap<InboundConnection, ConnectionFacts>();

function connectionFacts(connection: InboundConnection): ConnectionFacts {
  const known = remembered.get(connection);
  if (known) return known;
  const { peer, peerAddress, localAddress } = connection;
  const facts: ConnectionFacts = {
    peer: peer === null ? null : peerIdentity(peer),
    peerIp: peerAddress === null ? null : parseAddress(peerAddress),
    localIp: localAddress === null ? null : parseAddress(localAddress),
  };
  remembered.set(connection, facts);
  return facts;
}

function peerIdentity({ spiffeId, trustDomain, namespace, serviceAccount }: Peer): PeerIdentity {
  return { id: spiffeId, trustDomain, namespace, serviceAccount };
}

function tokenIdentity({ issuer, subject, audiences, claims }: VerifiedToken): TokenIdentity {
  const { azp } = claims;
  return { issuer, subject, audiences, presenter: typeof azp === "string" ? azp : null, claims };
}

/** What one request is decided by. Its path has been normalised already; what costs is read when a rule asks. */
export class InboundFacts implements RequestFacts {
  readonly method: string;
  readonly authority: string;
  readonly headers: HeaderMap;
  readonly sni: string | null;
  readonly localPort: number | null;
  readonly #connection: ConnectionFacts;
  readonly #token: VerifiedToken | undefined;
  readonly #trustedHops: number;
  readonly #path: string;
  #tokenIdentity: TokenIdentity | null | undefined;
  #clientIp: ClientAddress | undefined;
  #normalised: NormalisedPath | undefined;

  constructor(
    { method, authority, headers, path }: Pick<MeshRequest, "method" | "authority" | "headers" | "path">,
    { connection, token }: { readonly connection: InboundConnection; readonly token: VerifiedToken | undefined },
    trustedHops: number,
  ) {
    this.method = method;
    this.authority = authority;
    this.headers = headers;
    this.sni = connection.sni;
    this.localPort = connection.localPort;
    this.#connection = connectionFacts(connection);
    this.#token = token;
    this.#trustedHops = trustedHops;
    this.#path = path;
  }

  get peer(): PeerIdentity | null {
    return this.#connection.peer;
  }

  get peerIp(): IpAddress | null {
    return this.#connection.peerIp;
  }

  get localIp(): IpAddress | null {
    return this.#connection.localIp;
  }

  get token(): TokenIdentity | null {
    this.#tokenIdentity ??= this.#token === undefined ? null : tokenIdentity(this.#token);
    return this.#tokenIdentity;
  }

  get clientIp(): ClientAddress {
    this.#clientIp ??= clientAddress(this.headers["x-forwarded-for"], this.peerIp, this.#trustedHops);
    return this.#clientIp;
  }

  get path(): NormalisedPath {
    this.#normalised ??= { kind: "unchanged", path: this.#path, pathname: pathnameOf(this.#path) };
    return this.#normalised;
  }
}

function pathnameOf(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}
