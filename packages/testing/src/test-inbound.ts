import {
  checkKeys,
  type DescribedConnection,
  describedConnection,
  describedTarget,
  type ForwardedPeer,
  type HeaderMap,
  type InboundPolicy,
  type InboundRequestContext,
  localResponse,
  type Mesh,
  MeshError,
  type MeshRequest,
  type Peer,
  startInbound,
  type VerifiedToken,
} from "@heddle/core";
import { lowerCaseHeaders } from "./answer.ts";
import { replyOf, type TestReply } from "./test-request.ts";

/** A request that comes in, and who answers it. */
export interface TestInboundRequest extends DescribedConnection {
  /** Default GET. */
  readonly method?: string;
  /** The path is taken as it is written: `http://orders/a/../b` is refused or normalised as it would be from the wire. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as `authorization: Bearer`. Its signature is verified by the keys of the document, its dates by the virtual clock. */
  readonly token?: string;
  /** The application. Default: answers 200. What it throws rejects the call. */
  readonly app?: (request: ServedRequest) => InboundAnswer | Promise<InboundAnswer>;
}

export interface InboundAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** Instead of `body`: sent as JSON, with its content type. */
  readonly json?: unknown;
}

/** A request as the application gets it. */
export interface ServedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: HeaderMap;
  readonly peer: Peer | undefined;
  readonly jwt: VerifiedToken | undefined;
  readonly forwardedPeers: readonly ForwardedPeer[];
}

export interface TestInboundReply extends TestReply {
  /** What the application was given; null: it was not called. */
  readonly served: ServedRequest | null;
}

/** Rejects only where the application does, or where this mesh was given an identity and has no certificate that is valid. */
export type TestInbound = (request: TestInboundRequest) => Promise<TestInboundReply>;

export interface TestInboundOptions {
  /** Null: none is known yet. */
  readonly policy: () => InboundPolicy | null;
  /** The mesh was given an identity, and a connection with a peer is made only while that is valid. */
  readonly asksIdentity: boolean;
}

const KEYS: readonly (keyof TestInboundRequest)[] = ["method", "url", "headers", "token", "peer", "peerAddress", "localPort", "sni", "app"];

/** The way in without a listener: the peer is proved as soon as it is named, everything behind the handshake is the real thing. */
export function testInbound(mesh: Mesh, { policy, asksIdentity }: TestInboundOptions): TestInbound {
  return async (wanted) => {
    checkKeys(wanted, KEYS, "inbound");
    mesh.assertServing();
    const inForce = policy();
    if (inForce === null) throw new MeshError("not_ready", "inbound: no configuration defines the service of this mesh yet");
    const { method = "GET", url, token, app = () => ({}) } = wanted;
    const { host, path } = describedTarget(url, "inbound");
    const connection = describedConnection(wanted, inForce, "inbound");
    // As the handshake would: without a certificate that is valid now there is no connection.
    if (asksIdentity && connection.isEncrypted) mesh.serverTls.contextOptions();
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const headers = lowerCaseHeaders({ host, ...wanted.headers, ...bearer });
    let served: ServedRequest | null = null;
    const { request, inbound } = startInbound(mesh, {
      method,
      scheme: connection.isEncrypted ? "https" : "http",
      authority: host.toLowerCase(),
      path,
      headers,
      connection,
      async app(called) {
        served = servedRequest(called, inbound);
        return responseOf(await app(served));
      },
    });
    const response = await mesh.inbound(request);
    const reply = Object.assign(replyOf(response, mesh), { served });
    mesh.remember(reply, request.context);
    return reply;
  };
}

function servedRequest(
  { method, authority, path, headers }: MeshRequest,
  { peer, jwt, forwardedPeers }: InboundRequestContext,
): ServedRequest {
  return { method, authority, path, headers, peer, jwt, forwardedPeers };
}

function responseOf(answer: InboundAnswer): ReturnType<typeof localResponse> {
  checkKeys(answer, ["status", "headers", "body", "json"], "inbound: app");
  const { status = 200, body = "", json } = answer;
  const headers = lowerCaseHeaders(answer.headers ?? {});
  if (json === undefined) return localResponse(status, body, headers);
  headers["content-type"] ??= "application/json";
  return localResponse(status, JSON.stringify(json), headers);
}
