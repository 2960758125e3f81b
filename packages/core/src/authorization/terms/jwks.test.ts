import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { signingKey } from "../../../test/token-issuer.ts";
import { keysFor, parseJwks, readJwks } from "./jwks.ts";

const ec = signingKey("P-256", "ec").jwk;
const rsa = signingKey("rsa", "rsa").jwk;
const ed = signingKey("ed25519", "ed").jwk;

function usable(...keys: readonly unknown[]) {
  const reading = readJwks({ keys });
  if (!reading.ok) throw new Error(reading.reason);
  return reading.value;
}

test("a key verifies what fits its type", () => {
  expect(usable(ec, signingKey("P-384").jwk, signingKey("P-521").jwk, ed, rsa).keys.map(({ algorithms }) => algorithms)).toEqual([
    ["ES256"],
    ["ES384"],
    ["ES512"],
    ["EdDSA"],
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ]);
});

test("a key that says what it is for is for nothing else", () => {
  expect(usable({ ...rsa, alg: "PS256" }, { ...ed, alg: "Ed25519" }).keys.map(({ algorithms }) => algorithms)).toEqual([
    ["PS256"],
    ["EdDSA"],
  ]);
  expect(usable({ ...rsa, use: "sig", key_ops: ["verify"] }, { ...ec, use: "jwt-svid" }).keys.length).toBe(2);
});

const weak = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ format: "jwk" });

test.each([
  ["a symmetric key", { kty: "oct", k: "c2VjcmV0", kid: "a", alg: "HS256" }, "it is a symmetric key"],
  ["an RSA key that is short", weak, "its RSA modulus has 1024 bits, fewer than 2048"],
  [
    "an RSA key that leading zeros make long",
    { ...weak, n: `AAAA${"AAAA".repeat(100)}${weak.n}` },
    "its RSA modulus has 1024 bits, fewer than 2048",
  ],
  ["an RSA key that is slow", { ...rsa, n: "_".repeat(2_000) }, "more than 8192"],
  ["an RSA key under which everything is signed", { ...rsa, e: "AQ" }, "its RSA exponent is not"],
  ["an RSA key with an even exponent", { ...rsa, e: "Ag" }, "its RSA exponent is not"],
  ["an RSA key with a long exponent", { ...rsa, e: "AQAAAAAB" }, "its RSA exponent is not"],
  ["a key for certificates of SPIFFE", { ...ec, use: "x509-svid" }, "use is not sig"],
  ["a key for encryption", { ...rsa, use: "enc" }, "use is not sig"],
  ["a key for other operations", { ...rsa, key_ops: ["encrypt"] }, "key_ops has no verify"],
  ["a key whose operations are no list", { ...rsa, key_ops: "verify" }, "key_ops has no verify"],
  ["a key of an algorithm that does not fit it", { ...ec, alg: "RS256" }, "do not fit each other"],
  ["a key of an HMAC", { ...rsa, alg: "HS256" }, "do not fit each other"],
  ["a key of another curve", { ...ec, crv: "secp256k1" }, "its curve is not"],
  ["a key for agreement", { ...ed, crv: "X25519" }, "its curve is not Ed25519"],
  ["a key without a part", { kty: "EC", crv: "P-256", x: "AA" }, "x or y is not base64url"],
  ["an RSA key whose modulus is no base64url", { ...rsa, n: "a+b/" }, "n or e is not base64url"],
  ["a key whose ID is no text", { ...ec, kid: 7 }, "kid is not text"],
  ["a key of no type", { kid: "a" }, "its type is not"],
  ["text", "key", "it is not an object"],
  ["null", null, "it is not an object"],
])("leaves out %s", (_what, key, why) => {
  const { keys, ignored } = usable(ec, key);
  expect(keys.map(({ kid }) => kid)).toEqual(["ec"]);
  expect(ignored.length).toBe(1);
  expect(ignored[0]).toContain("key 2: ");
  expect(ignored[0]).toContain(why);
});

test("keeps of a key what is public", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const [key] = usable({ ...privateKey.export({ format: "jwk" }), x5u: "https://attacker.example" }).keys;
  expect(Object.keys(key?.jwk ?? {})).toEqual(["kty", "crv", "x", "y"]);
});

test("refuses what is no key set", () => {
  const reasons = ["", "[]", "null", '{"keys":{}}', '{"keys":"a"}', JSON.stringify({ keys: Array(101).fill(ec) })].map((text) =>
    parseJwks(text),
  );
  expect(reasons.every(({ ok }) => !ok)).toBe(true);
});

test("finds keys by algorithm and ID, and those without an ID under any", () => {
  const ring = usable(ec, { ...signingKey("P-256", null).jwk }, rsa);
  expect(keysFor(ring, "ES256", "ec").map(({ kid }) => kid)).toEqual(["ec", null]);
  expect(keysFor(ring, "ES256", "rsa").map(({ kid }) => kid)).toEqual([null]);
  expect(keysFor(ring, "ES256", null).length).toBe(2);
  expect(keysFor(ring, "RS256", "__proto__")).toEqual([]);
});
