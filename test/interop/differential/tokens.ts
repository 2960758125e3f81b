import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JwtAlgorithm, JwtRule } from "@heddle/core";
import type { TokenForm, TokenKind } from "./cases.ts";
import type { Draws } from "./draws.ts";

/** Signs with node:crypto alone: what verifies is not what made them. */

export interface Issuer {
  readonly name: string;
  readonly iss: string;
  readonly keys: readonly SigningKey[];
}

interface SigningKey {
  readonly kid: string;
  readonly algorithm: JwtAlgorithm;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

function signingKey(kid: string, algorithm: "ES256" | "RS256" | "EdDSA"): SigningKey {
  const pair = {
    ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    RS256: () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
    EdDSA: () => generateKeyPairSync("ed25519"),
  }[algorithm]();
  return { kid, algorithm, privateKey: pair.privateKey, jwk: { ...pair.publicKey.export({ format: "jwk" }), kid, alg: algorithm } };
}

export const ISSUERS: readonly [Issuer, Issuer] = [
  { name: "one", iss: "https://one.test", keys: [signingKey("one-1", "ES256"), signingKey("one-2", "EdDSA")] },
  { name: "two", iss: "https://two.test", keys: [signingKey("two-1", "RS256")] },
];
/** Whom no rule trusts. */
const STRANGER: Issuer = { name: "stranger", iss: "https://stranger.test", keys: [signingKey("one-1", "ES256")] };

/** Longer than a comparison takes, on a crowded machine too: what was valid when it was drawn is so when it is shown. */
export const CLOCK_SKEW_MS = 600_000;

export function jwtRule({ name, iss, keys }: Issuer, parts: Partial<JwtRule> = {}): JwtRule {
  return {
    name,
    issuer: iss,
    audiences: [],
    jwks: { kind: "inline", jwks: { keys: keys.map(({ jwk }) => jwk) } },
    algorithms: [...new Set(keys.map(({ algorithm }) => algorithm))],
    from: [{ header: "authorization", prefix: "Bearer " }],
    clockSkewMs: CLOCK_SKEW_MS,
    forward: false,
    claimHeaders: [],
    origin: "test",
    ...parts,
  };
}

export interface Token {
  readonly text: string;
  /** But for audiences, which rules differ in. */
  readonly kind: Exclude<TokenKind, "none">;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Which forms it has that the sides read differently. */
  readonly form: TokenForm;
}

const base64url = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function signed(key: SigningKey, header: Readonly<Record<string, unknown>>, claims: unknown): string {
  const input = `${base64url({ alg: key.algorithm, kid: key.kid, typ: "JWT", ...header })}.${base64url(claims)}`;
  const digest = key.algorithm === "EdDSA" ? null : "sha256";
  return `${input}.${sign(digest, Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const AUDIENCES: readonly (readonly string[])[] = [["reviews"], ["ratings"], ["reviews", "other"], ["reviewsx"], ["other"], []];

/** What is wrong with a token; each makes a valid one invalid under every rule. */
const FLAWS = {
  expired: { claims: (now: number) => ({ exp: now - 3_600 }) },
  early: { claims: (now: number) => ({ nbf: now + 3_600 }) },
  endless: { claims: () => ({ exp: undefined }) },
  anonymous: { claims: () => ({ iss: undefined }) },
  "of another issuer": { claims: () => ({ iss: "https://one.test.evil" }) },
  "of an unknown key": { header: { kid: "nobody" } },
  "for nobody's algorithm": { header: { alg: "ES384" } },
} as const satisfies Record<string, { claims?: (now: number) => object; header?: object }>;

/** A valid token of an issuer, with claims that rules ask for. */
export function validToken(draws: Draws, issuer: Issuer, wanted: Readonly<Record<string, unknown>> = {}, form: TokenForm = "plain"): Token {
  return made(draws, issuer, claimsOf(draws, issuer, wanted), form);
}

function claimsOf(draws: Draws, { iss }: Issuer, wanted: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const aud = draws.one(AUDIENCES);
  const drawn = {
    iss,
    sub: draws.chance(0.1) ? undefined : draws.one(["jane", "jim", "janet"]),
    aud: aud.length === 0 ? undefined : aud.length === 1 && draws.chance(0.5) ? aud[0] : aud,
    azp: draws.one(["app-1", "app-2", undefined]),
    groups: draws.one<unknown>([["admin", "dev"], ["dev"], "dev", "admin", [], undefined]),
    org: draws.one<unknown>([{ role: "lead" }, { role: "member" }, {}, undefined]),
    // Within what clocks may differ by, or far from it.
    exp: now + draws.one([3_600, 3_600, -20]),
    nbf: draws.one([undefined, now + 20, now - 100]),
  };
  return { ...drawn, ...wanted, iss };
}

function made(draws: Draws, issuer: Issuer, claims: Record<string, unknown>, form: TokenForm): Token {
  const key = draws.one(issuer.keys);
  const header = { ...(draws.chance(0.2) && { kid: undefined }), ...(form === "other-type" && { typ: "secevent+jwt" }) };
  const all = { ...claims, ...(form === "loose-audience" && { aud: "https://reviews/" }), ...(form === "number-claim" && { groups: 7 }) };
  const { aud } = all as { aud?: string | readonly string[] };
  const audiences = aud === undefined ? [] : typeof aud === "string" ? [aud] : aud;
  return { text: signed(key, header, JSON.stringify(all)), kind: "valid", issuer: issuer.iss, audiences, claims: all, form };
}

/** One that no rule takes. */
export function invalidToken(draws: Draws, issuer: Issuer): Token {
  const valid = validToken(draws, issuer);
  const flaw = draws.one(["garbage", "cut", "tampered", "none", "hmac", "stranger", "twice", ...Object.keys(FLAWS)]);
  return { ...valid, kind: "invalid", form: "plain", text: flawed(draws, issuer, valid, flaw) };
}

function flawed(draws: Draws, issuer: Issuer, { text, claims }: Token, flaw: string): string {
  const [head = "", body = "", signature = ""] = text.split(".");
  switch (flaw) {
    case "garbage":
      return "not-a-token";
    case "cut":
      return `${head}.${body}`;
    case "tampered":
      return `${head}.${base64url({ ...claims, sub: "root" })}.${signature}`;
    case "none":
      return `${base64url({ alg: "none", typ: "JWT" })}.${body}.`;
    case "hmac":
      return `${base64url({ alg: "HS256", typ: "JWT", kid: issuer.keys[0]?.kid })}.${body}.${base64url("a signature")}`;
    case "twice":
      return signed(draws.one(issuer.keys), {}, `${JSON.stringify(claims).slice(0, -1)},"note":"a","note":"b"}`);
    case "stranger":
      return signed(draws.one(STRANGER.keys), {}, JSON.stringify(claims));
    default: {
      const change: { claims?: (now: number) => object; header?: object } = FLAWS[flaw as keyof typeof FLAWS];
      const now = Math.floor(Date.now() / 1_000);
      return signed(draws.one(issuer.keys), { ...change.header }, JSON.stringify({ ...claims, ...change.claims?.(now) }));
    }
  }
}
