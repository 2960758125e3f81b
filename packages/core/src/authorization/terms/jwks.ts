import { type Reading, read, refused } from "../../identity/names/reading.ts";
import { JWT_ALGORITHMS, type JwtAlgorithm } from "../../model/jwt.ts";

/** Larger ones are refused unread. */
export const MAX_JWKS_BYTES: number = 1024 * 1024;
const MAX_KEYS = 100;
const MOST_TOLD = 3;
const LEAST_RSA_BITS = 2_048;
const MOST_RSA_BITS = 8_192;

/** The public members of a key, checked. */
export interface PublicJwk {
  readonly kty: string;
  readonly [member: string]: string;
}

/** A key that signatures may be verified with. */
export interface VerificationKey {
  readonly kid: string | null;
  /** Those that fit its type and that its set allows it for. */
  readonly algorithms: readonly JwtAlgorithm[];
  readonly jwk: PublicJwk;
}

/** The keys of an issuer as they were at one time. Another object whenever they are others. */
export interface KeyRing {
  readonly keys: readonly VerificationKey[];
  /** What is in the set and not used, for people. */
  readonly ignored: readonly string[];
}

/** The keys that may have signed with this algorithm under this ID. A key without an ID may be any. */
export function keysFor(ring: KeyRing, algorithm: JwtAlgorithm, kid: string | null): readonly VerificationKey[] {
  return ring.keys.filter((key) => key.algorithms.includes(algorithm) && (kid === null || key.kid === null || key.kid === kid));
}

/** Why no token can be verified with these keys; null: there are some. */
export function unusable({ keys, ignored }: KeyRing): string | null {
  if (keys.length > 0) return null;
  return ignored.length === 0 ? "it has no keys" : `it has no key that can be used (${ignored.slice(0, MOST_TOLD).join("; ")})`;
}

export function parseJwks(text: string): Reading<KeyRing> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("it is not JSON");
  }
  return readJwks(value);
}

/**
 * A JWK Set (RFC 7517). Keys that are not for verifying, of unknown types or too weak are left out, symmetric ones among them: a secret
 * has no place in a set that is published.
 */
export function readJwks(value: unknown): Reading<KeyRing> {
  const keys: unknown = isRecord(value) ? value.keys : undefined;
  if (!Array.isArray(keys)) return refused("it is not a JSON object with a list named keys");
  if (keys.length > MAX_KEYS) return refused(`it has ${keys.length} keys, more than ${MAX_KEYS}`);
  const readings = keys.map((key, index) => ({ index, key: readKey(key) }));
  return read({
    keys: readings.flatMap(({ key }) => (key.ok ? [key.value] : [])),
    ignored: readings.flatMap(({ index, key }) => (key.ok ? [] : [`key ${index + 1}: ${key.reason}`])),
  });
}

function readKey(jwk: unknown): Reading<VerificationKey> {
  if (!isRecord(jwk)) return refused("it is not an object");
  const { kty, kid, use, alg, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== "string") return refused("kid is not text");
  // The other is what bundles of SPIFFE say of keys that sign tokens.
  if (use !== undefined && use !== "sig" && use !== "jwt-svid") return refused("use is not sig");
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return refused("key_ops has no verify");
  const material = materialOf(kty, jwk);
  if (!material.ok) return material;
  const fitting = JWT_ALGORITHMS.filter((algorithm) => fits(algorithm, material.value));
  const algorithms = alg === undefined ? fitting : fitting.filter((algorithm) => algorithm === named(alg));
  if (algorithms.length === 0) return refused("alg and type of the key do not fit each other, or are none of those for signatures");
  return read({ kid: kid ?? null, algorithms, jwk: material.value });
}

/** RFC 9864's name for what these keys do under RFC 8037's. */
function named(alg: unknown): unknown {
  return alg === "Ed25519" ? "EdDSA" : alg;
}

const CURVES: Readonly<Record<string, JwtAlgorithm>> = { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", Ed25519: "EdDSA" };

function fits(algorithm: JwtAlgorithm, { kty, crv }: PublicJwk): boolean {
  return kty === "RSA" ? /^[RP]S/.test(algorithm) : CURVES[crv ?? ""] === algorithm;
}

function materialOf(kty: unknown, jwk: Readonly<Record<string, unknown>>): Reading<PublicJwk> {
  const { n, e, crv, x, y } = jwk;
  switch (kty) {
    case "RSA":
      return isBase64Url(n) && isBase64Url(e) ? rsa(n, e) : refused("n or e is not base64url");
    case "EC":
      if (crv !== "P-256" && crv !== "P-384" && crv !== "P-521") return refused("its curve is not P-256, P-384 or P-521");
      return isBase64Url(x) && isBase64Url(y) ? read({ kty, crv, x, y }) : refused("x or y is not base64url");
    case "OKP":
      if (crv !== "Ed25519") return refused("its curve is not Ed25519");
      return isBase64Url(x) ? read({ kty, crv, x }) : refused("x is not base64url");
    case "oct":
      return refused("it is a symmetric key");
    default:
      return refused("its type is not RSA, EC or OKP");
  }
}

/** With an exponent of 1 everything is its own signature; one of many digits makes verifying slow. */
function rsa(n: string, e: string): Reading<PublicJwk> {
  const bits = bitsOf(n);
  if (bits < LEAST_RSA_BITS) return refused(`its RSA modulus has ${bits} bits, fewer than ${LEAST_RSA_BITS}`);
  if (bits > MOST_RSA_BITS) return refused(`its RSA modulus has ${bits} bits, more than ${MOST_RSA_BITS}`);
  const exponent = Buffer.from(e, "base64url");
  const isOdd = ((exponent.at(-1) ?? 0) & 1) === 1;
  if (exponent.length > 4 || !isOdd || bitsOf(e) < 2) return refused("its RSA exponent is not an odd number from 3 to 32 bits");
  return read({ kty: "RSA", n, e });
}

function bitsOf(number: string): number {
  const hex = Buffer.from(number, "base64url").toString("hex").replace(/^0+/, "");
  return hex === "" ? 0 : hex.length * 4 - Math.clz32(Number.parseInt(hex.charAt(0), 16)) + 28;
}

function isBase64Url(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]+$/.test(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
