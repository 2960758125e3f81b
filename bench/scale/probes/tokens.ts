import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const ISSUER = "https://issuer.test";
const AUDIENCE = "shop";
const LIFETIME_S = 24 * 3_600;

/** Valid tokens of one issuer. */
export interface Tokens {
  readonly texts: readonly string[];
  /** Of the same issuer, signed by another key. */
  readonly forged: string;
  readonly publicKey: KeyObject;
}

/** ES256, of somebody else each; null for none. */
export function issueTokens(count: number): Tokens | null {
  if (count === 0) return null;
  const { privateKey, publicKey } = newKeys();
  const texts = Array.from({ length: count }, (_, number) => issue(`user-${number}`, privateKey));
  return { texts, forged: issue("user-0", newKeys().privateKey), publicKey };
}

/** The rule of `inbound.jwt` by which they are valid. */
export function tokenRule({ publicKey }: Tokens): object {
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256" }];
  return { issuer: ISSUER, audiences: [AUDIENCE], jwks: { inline: { keys } } };
}

function newKeys(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function issue(subject: string, key: KeyObject): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: subject, iat: now, exp: now + LIFETIME_S, groups: ["readers", "writers"] };
  const input = [{ alg: "ES256", typ: "JWT", kid: "k1" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
