import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { startInbound } from "../src/inbound-call.ts";
import { type InboundConnection, UNKNOWN_CONNECTION } from "../src/inbound-connection.ts";
import type { InboundRequestContext } from "../src/inbound-request-context.ts";
import type { Layer } from "../src/layer.ts";
import { type HeaderMap, localResponse, type MeshRequest } from "../src/message.ts";
import { JWT_ALGORITHMS, type JwtAlgorithm, type JwtRule } from "../src/model/jwt.ts";

/** Signs tokens with node:crypto alone, so that what verifies them is not what made them, and anything can be signed. */

type Kind = "rsa" | "rsa-1024" | "P-256" | "P-384" | "P-521" | "ed25519";

export interface SigningKey {
  readonly kid: string | null;
  readonly algorithm: JwtAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As an issuer publishes it. */
  readonly jwk: Record<string, unknown>;
}

const ALGORITHM: Readonly<Record<Kind, JwtAlgorithm>> = {
  rsa: "RS256",
  "rsa-1024": "RS256",
  "P-256": "ES256",
  "P-384": "ES384",
  "P-521": "ES512",
  ed25519: "EdDSA",
};

export function signingKey(kind: Kind = "P-256", kid: string | null = "k1", algorithm: JwtAlgorithm = ALGORITHM[kind]): SigningKey {
  const { privateKey, publicKey } = pairOf(kind);
  const jwk = { ...publicKey.export({ format: "jwk" }), ...(kid === null ? {} : { kid }) };
  return { kid, algorithm, privateKey, publicKey, jwk };
}

function pairOf(kind: Kind): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (kind === "ed25519") return generateKeyPairSync("ed25519");
  if (kind === "rsa" || kind === "rsa-1024") return generateKeyPairSync("rsa", { modulusLength: kind === "rsa" ? 2_048 : 1_024 });
  return generateKeyPairSync("ec", { namedCurve: kind });
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value)).toString("base64url");
}

export const ISSUER = "https://issuer.example";

/** Valid at wall time 0 for an hour. */
export const CLAIMS = { iss: ISSUER, sub: "jane", aud: "reviews", exp: 3_600 };

/** Strings are taken as the JSON they are to be. */
export function tokenOf(
  key: SigningKey,
  claims: Readonly<Record<string, unknown>> | string = {},
  header: Readonly<Record<string, unknown>> | string = {},
): string {
  const head = typeof header === "string" ? header : { alg: key.algorithm, typ: "JWT", ...(key.kid ? { kid: key.kid } : {}), ...header };
  const body = typeof claims === "string" ? claims : { ...CLAIMS, ...claims };
  const input = `${base64url(head)}.${base64url(body)}`;
  return `${input}.${signature(key, input)}`;
}

function signature({ algorithm, privateKey }: SigningKey, input: string): string {
  const digest = algorithm === "EdDSA" ? null : `sha${algorithm.slice(2)}`;
  const padding = algorithm.startsWith("PS") ? { padding: 6, saltLength: -1 } : {};
  return sign(digest, Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363", ...padding }).toString("base64url");
}

/** Tokens of {@link ISSUER} with these keys, from Authorization. */
export function jwtRuleOf(keys: readonly SigningKey[], parts: Partial<JwtRule> = {}): JwtRule {
  return {
    name: "issuer",
    issuer: ISSUER,
    audiences: [],
    jwks: { kind: "inline", jwks: { keys: keys.map(({ jwk }) => jwk) } },
    algorithms: JWT_ALGORITHMS,
    from: [{ header: "authorization", prefix: "Bearer " }],
    clockSkewMs: 0,
    forward: false,
    claimHeaders: [],
    origin: "test",
    ...parts,
  };
}

export function bearer(token: string): HeaderMap {
  return { authorization: `Bearer ${token}` };
}

/** What became of a request: what the application saw, or why it saw nothing. */
export type Passage =
  | { readonly kind: "passed"; readonly headers: HeaderMap; readonly inbound: InboundRequestContext }
  | { readonly kind: "refused"; readonly error: unknown };

type Surroundings = Parameters<typeof startInbound>[0];

/** Sends a request through one inbound layer. */
export async function pass(
  layer: Layer,
  headers: HeaderMap,
  mesh: Pick<Surroundings, "clock">,
  connection: InboundConnection = UNKNOWN_CONNECTION,
): Promise<Passage> {
  let seen: MeshRequest | null = null;
  const { request, inbound } = startInbound(
    { ...mesh, deadlines: undefined as unknown as Surroundings["deadlines"] },
    {
      method: "GET",
      scheme: "http",
      authority: "reviews",
      path: "/api?secret=1",
      headers,
      app: () => Promise.resolve(localResponse(200, null)),
      connection,
    },
  );
  const handler = layer((passed) => {
    seen = passed;
    return Promise.resolve(localResponse(200, null));
  });
  return handler(request).then(
    () => ({ kind: "passed", headers: (seen as MeshRequest | null)?.headers ?? {}, inbound }),
    (error: unknown) => ({ kind: "refused", error }),
  );
}
