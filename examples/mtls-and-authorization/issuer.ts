import { generateKeyPairSync, sign } from "node:crypto";

/** Who signs in users, in place of a real one: a key of its own, the set of its public keys, and tokens for an hour. */
export interface Issuer {
  readonly keySet: string;
  token(subject: string, groups: readonly string[]): string;
}

export function newIssuer(issuer: string, audience: string): Issuer {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return {
    keySet: JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "1", alg: "ES256", use: "sig" }] }),
    token(subject, groups) {
      const now = Math.floor(Date.now() / 1_000);
      const claims = { iss: issuer, aud: audience, sub: subject, groups, iat: now, exp: now + 3_600 };
      const signed = `${encoded({ alg: "ES256", kid: "1", typ: "JWT" })}.${encoded(claims)}`;
      const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${signed}.${signature.toString("base64url")}`;
    },
  };
}
