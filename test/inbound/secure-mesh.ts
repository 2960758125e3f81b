import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { ServerTls } from "@heddle/core";
import { inboundConnection } from "../../packages/core/src/inbound-call.ts";
import type { InboundConnection } from "../../packages/core/src/inbound-connection.ts";
import { requirePeer } from "../../packages/core/src/inbound-peer.ts";
import type { Layer } from "../../packages/core/src/layer.ts";
import { leafNow, rootNow, stateOf, type Workload, workload } from "../../packages/core/test/workload.ts";
import { type RawClient, rawClientOver } from "./raw-client.ts";
import { type ServingFacts, servingMesh, type TestServingMesh } from "./serving-mesh.ts";

export const WEB = "spiffe://shop.example/ns/shop/sa/web";
export const REVIEWS = "spiffe://shop.example/ns/shop/sa/reviews";

const shop = rootNow("shop root");
const roots = { "shop.example": [shop] };
const web = workload(stateOf([leafNow(shop, WEB)], roots));
export const stranger: Workload = workload(stateOf([leafNow(rootNow("stranger root"), WEB)], roots));

export interface SecureMesh extends TestServingMesh {
  /** As an edit of the document does it. */
  setMode(mode: ReturnType<ServerTls["mode"]>): void;
  /** Why connections were refused. */
  readonly refusals: string[];
  /** Of each request that the stack was run for. */
  readonly connections: InboundConnection[];
}

/** A mesh that serves as `reviews`, over real TLS of core's, and refuses requests of nobody where it is strict. */
export function secureMesh(
  first: ReturnType<ServerTls["mode"]>,
  facts: ServingFacts & { readonly tls?: Partial<ServerTls> } = {},
): SecureMesh {
  let mode = first;
  const refusals: string[] = [];
  const connections: InboundConnection[] = [];
  const real = workload(stateOf([leafNow(shop, REVIEWS)], roots));
  const serverTls = (): ServerTls => real.server(mode === "strict" ? "strict" : "permissive");
  const requireMtls: Layer = (next) => async (request) => {
    const connection = inboundConnection(request);
    connections.push(connection);
    return mode === "strict" ? requirePeer(next)(request) : next(request);
  };
  const mesh = servingMesh({
    ...facts,
    layers: [requireMtls as never, ...(facts.layers ?? [])],
    serverTls: {
      mode: () => mode,
      socketOptions: () => serverTls().socketOptions(),
      contextOptions: () => serverTls().contextOptions(),
      verify: (socket) => serverTls().verify(socket),
      onChange: (listener) => real.server("strict").onChange(listener),
      refused: (reason, from) => void refusals.push(`${from}: ${reason}`),
      ...facts.tls,
    },
  });
  const setMode = (next: typeof mode) => {
    mode = next;
  };
  return Object.assign(mesh, { setMode, refusals, connections });
}

/** Options of `tls.connect` and of `https.request` for a caller that proves to be `web`. */
export function asWeb(): ConnectionOptions {
  return web.client([REVIEWS]).connectOptions("reviews.example");
}

/** Without a certificate, and believing everybody. */
export const asNobody: ConnectionOptions = { rejectUnauthorized: false };

export interface SecureClient extends RawClient {
  readonly secure: TLSSocket;
  readonly raw: Socket;
}

/** A connection on which a test writes HTTP itself, its handshake done. */
export async function secureClient(port: number, options: ConnectionOptions = asWeb()): Promise<SecureClient> {
  const raw = connectTcp(port, "127.0.0.1");
  const secure = connectTls({ ...options, socket: raw });
  await once(secure, "secureConnect");
  return { ...rawClientOver(secure), secure, raw };
}

/** Why a handshake came to nothing, or that the connection was closed after it. */
export async function refusedHandshake(port: number, options: ConnectionOptions): Promise<string> {
  const secure = connectTls({ ...options, socket: connectTcp(port, "127.0.0.1") });
  let why = "closed";
  secure.on("error", (error: Error & { code?: string }) => (why = error.code ?? error.message));
  secure.resume();
  await new Promise((closed) => secure.once("close", closed));
  return why;
}
