import { createMesh, type InboundConnection, type Mesh, type MeshResponse, type Peer, PushBody, startInbound } from "@heddle/core";
import { identity } from "heddle";
import { BenchAuthority } from "../../credentials.ts";
import { CALLER, idOf, TRUST_DOMAIN } from "../../document.ts";
import { runSlot } from "../../load.ts";
import { ANSWER } from "../../variant.ts";
import { readStub, stubTransport } from "../../variants/stub-transport.ts";
import type { OpenProbe } from "../probe.ts";
import { SERVICE } from "./generated.ts";
import { onProblem } from "./mesh-slot.ts";
import { issueTokens, type Tokens, tokenRule } from "./tokens.ts";

export interface InboundParameters {
  /** `inbound` of the service, beside what `tokens` adds. */
  readonly policy: object;
  /** What it is compared to; a difference of zero is what it takes to be the same. */
  readonly base: object;
  readonly path: string;
  /** How many valid tokens the requests carry in turn; 0: they carry none, and no rule looks for one. */
  readonly tokens?: number;
  /** A path that the policy refuses. */
  readonly refused?: string;
}

const CONCURRENCY = 32;
const HEADERS = { "content-type": "application/json", "content-length": String(ANSWER.length) };

/**
 * A request through `mesh.inbound` to an application that answers at once, as a listener would make it: under a policy, and under another
 * in turn. What came is said to have come by mutual TLS, which the listener would have verified.
 */
export const open: OpenProbe<InboundParameters> = async ({ parameters: { policy, base, path, tokens: count = 0, refused } }) => {
  const authority = new BenchAuthority();
  const tokens = issueTokens(count);
  const secured = await meshWith({ ...policy, ...(tokens && { jwt: [tokenRule(tokens)] }) }, authority.folder);
  const other = await meshWith(base, authority.folder);
  await assertActs(secured, { path, refused, tokens });
  const ask = caller(secured, path, tokens?.texts ?? null);
  const askOther = caller(other, path, tokens?.texts ?? null);
  let isFirst = false;
  return {
    async round(durationMs) {
      isFirst = !isFirst;
      const order = { concurrency: CONCURRENCY, durationMs: durationMs / 2 };
      const first = await micros(isFirst ? ask : askOther, order);
      const second = await micros(isFirst ? askOther : ask, order);
      const request = isFirst ? first : second;
      return { request, added: request - (isFirst ? second : first) };
    },
    async close() {
      await Promise.all([secured.close(), other.close()]);
      authority[Symbol.dispose]();
    },
  };
};

async function meshWith(inbound: object, authority: string): Promise<Mesh> {
  const mesh = createMesh({
    service: SERVICE,
    config: { apiVersion: "heddle/v1", services: { [SERVICE]: { inbound } } },
    transport: stubTransport(),
    identity: identity.dev({ dir: authority }),
    onProblem,
  });
  await mesh.ready();
  return mesh;
}

const PEER: Peer = { spiffeId: idOf(CALLER), trustDomain: TRUST_DOMAIN, namespace: null, serviceAccount: null, fingerprint: "00" };

/** One object a connection, as listeners have it. */
const CONNECTION: InboundConnection = {
  peer: PEER,
  isEncrypted: true,
  sni: null,
  peerAddress: "127.0.0.1",
  localAddress: "127.0.0.1",
  localPort: 8080,
};

function answer(): Promise<MeshResponse> {
  return Promise.resolve({ status: 200, headers: HEADERS, body: PushBody.of(ANSWER) });
}

function serve(mesh: Mesh, path: string, token: string | null, connection = CONNECTION): Promise<MeshResponse> {
  const headers = token === null ? { accept: "*/*" } : { accept: "*/*", authorization: `Bearer ${token}` };
  const init = { method: "GET", scheme: "https", authority: SERVICE, path, headers, app: answer, connection } as const;
  return mesh.inbound(startInbound(mesh, init).request);
}

function caller(mesh: Mesh, path: string, tokens: readonly string[] | null): () => Promise<void> {
  let turn = 0;
  return async () => {
    if (tokens !== null) turn = turn + 1 === tokens.length ? 0 : turn + 1;
    readStub(await serve(mesh, path, tokens === null ? null : (tokens[turn] ?? null)));
  };
}

async function micros(call: () => Promise<void>, order: { readonly concurrency: number; readonly durationMs: number }): Promise<number> {
  const { cpuMicros, requests } = await runSlot({ isInstant: true, call, async close() {} }, order);
  return cpuMicros / requests;
}

/** A policy that refused nothing would be measured for doing nothing. */
async function assertActs(
  mesh: Mesh,
  { path, refused, tokens }: { readonly path: string; readonly refused: string | undefined; readonly tokens: Tokens | null },
): Promise<void> {
  const good = tokens?.texts[0] ?? null;
  await expectStatus(200, serve(mesh, path, good));
  if (refused !== undefined) await expectStatus(403, serve(mesh, refused, good));
  if (tokens !== null) await expectStatus(401, serve(mesh, path, tokens.forged));
  await expectStatus(403, serve(mesh, path, good, { ...CONNECTION, peer: null }));
}

async function expectStatus(expected: number, response: Promise<MeshResponse>): Promise<void> {
  const { status, body } = await response;
  body.abandon(new Error("only the status was asked for"));
  if (status !== expected) throw new Error(`expected the policy to answer ${expected}, got ${status}`);
}
