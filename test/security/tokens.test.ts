import { createHmac, hash } from "node:crypto";
import { expect, test } from "vitest";
import {
  base64url,
  bearer,
  CLAIMS,
  ISSUER,
  jwtRuleOf,
  type SigningKey,
  signingKey,
  tokenOf,
} from "../../packages/core/test/token-issuer.ts";
import { jwksServer, keysAnswer } from "./jwks-server.ts";
import { remoteRule, tokenGate } from "./token-gate.ts";

const rsa = signingKey("rsa", "rsa");
const ec = signingKey("P-256", "ec");
const attacker = signingKey("P-256", "attacker");
const attackerRsa = signingKey("rsa", "attacker");
const gate = tokenGate([jwtRuleOf([rsa, ec], { audiences: ["reviews"] })]);

const REFUSED = "401 unauthenticated";

test("takes what the issuer signed", async () => {
  expect(await gate.try(tokenOf(rsa))).toBe("jane");
  expect(await gate.try(tokenOf(ec))).toBe("jane");
});

const NONE = ["none", "None", "NONE", "nOnE", "none ", "", "null", "NoNe\0", "undefined", "RS256none"];

test.each(NONE)("refuses what is signed with %j", async (alg) => {
  for (const kid of ["rsa", "ec", undefined]) {
    const input = `${base64url({ alg, kid })}.${base64url({ ...CLAIMS, sub: "root" })}`;
    for (const signature of ["", "AA", tokenOf(rsa).split(".")[2]]) expect(await gate.try(`${input}.${signature}`)).toBe(REFUSED);
    expect(await gate.try(input)).toBe(REFUSED);
  }
});

function hmac(secret: string | Buffer, header: object): string {
  const input = `${base64url(header)}.${base64url({ ...CLAIMS, sub: "root" })}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

function publicForms(key: SigningKey): readonly (string | Buffer)[] {
  const { publicKey, jwk } = key;
  const pem = (type: "spki" | "pkcs1"): string => publicKey.export({ type, format: "pem" }) as string;
  const der = (type: "spki" | "pkcs1"): Buffer => publicKey.export({ type, format: "der" }) as Buffer;
  const forms: readonly ("spki" | "pkcs1")[] = publicKey.asymmetricKeyType === "rsa" ? ["spki", "pkcs1"] : ["spki"];
  const texts = forms.flatMap((form) => [
    pem(form),
    pem(form).trim(),
    pem(form).replaceAll("\n", "\r\n"),
    der(form),
    der(form).toString("base64"),
  ]);
  const numbers = ["n", "e", "x", "y"].flatMap((name) =>
    typeof jwk[name] === "string" ? [jwk[name], Buffer.from(jwk[name], "base64url")] : [],
  );
  return [...texts, ...numbers, JSON.stringify(jwk), JSON.stringify({ keys: [jwk] }), ""];
}

test("refuses an HMAC whose secret is a public key, in every form it is published in", async () => {
  let count = 0;
  for (const key of [rsa, ec])
    for (const secret of publicForms(key))
      for (const alg of ["HS256", "hs256", "HS384", "HS512"])
        for (const kid of [key.kid, undefined]) {
          expect(await gate.try(hmac(secret, { alg, typ: "JWT", kid }))).toBe(REFUSED);
          count++;
        }
  expect(count).toBeGreaterThan(150);
});

test("refuses an HMAC also where the key set holds its secret", async () => {
  const oct = { kty: "oct", k: base64url("secret"), kid: "oct", alg: "HS256" };
  const shared = tokenGate([jwtRuleOf([], { jwks: { kind: "inline", jwks: { keys: [oct, ec.jwk] } } })]);
  expect(await shared.try(hmac("secret", { alg: "HS256", kid: "oct" }))).toBe(REFUSED);
  expect(await shared.try(hmac("secret", { alg: "HS256" }))).toBe(REFUSED);
  expect(await shared.try(tokenOf(ec))).toBe("jane");
});

test("refuses an algorithm that is not of the key's type", async () => {
  for (const alg of ["ES256", "ES384", "ES512", "EdDSA", "PS256", "RS384", "RSA-OAEP", "RS1", "Ed25519", "ES256K"])
    for (const key of [rsa, ec]) if (alg !== key.algorithm) expect(await gate.try(tokenOf(key, {}, { alg }))).toBe(REFUSED);
});

test("refuses a key that the issuer does not have, whatever ID it goes by", async () => {
  for (const key of [attacker, attackerRsa])
    for (const kid of ["rsa", "ec", "attacker", undefined]) expect(await gate.try(tokenOf(key, { sub: "root" }, { kid }))).toBe(REFUSED);
});

const HOSTILE_KIDS = [
  "../../../../../../dev/null",
  "/etc/passwd",
  "C:\\windows\\win.ini",
  "file:///dev/null",
  "https://attacker.example/key",
  "x' UNION SELECT 'secret'; --",
  "rsa' OR '1'='1",
  "$(id)",
  "`id`",
  "| id",
  "rsa\0",
  "RSA",
  " rsa",
  "*",
  ".*",
  "",
  "0",
  "__proto__",
  "constructor",
  "toString",
  "a".repeat(256),
  "a".repeat(257),
];

test.each(HOSTILE_KIDS)("a key ID is nothing but a name: %j", async (kid) => {
  expect(await gate.try(tokenOf(attacker, { sub: "root" }, { kid }))).toBe(REFUSED);
  expect(await gate.try(hmac("", { alg: "HS256", kid }))).toBe(REFUSED);
});

test("never follows where a token says that its key is", async () => {
  await using evil = await jwksServer(keysAnswer({ ...attacker.jwk, kid: "ec" }));
  await using issuer = await jwksServer(keysAnswer(ec.jwk));
  const { try: attempt } = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const { kid: _kid, ...jwk } = attacker.jwk;
  const headers = [
    { jku: evil.url },
    { x5u: evil.url },
    { jwk },
    { jwk: attacker.jwk },
    { x5c: [base64url("certificate")] },
    { "x5t#S256": "AA" },
  ];
  for (const header of [...headers, { jku: evil.url, x5u: evil.url, jwk }])
    for (const kid of ["ec", "attacker", undefined, evil.url])
      expect(await attempt(tokenOf(attacker, { sub: "root" }, { ...header, kid }))).toBe(REFUSED);
  expect(evil.asked).toEqual([]);
  expect(await attempt(tokenOf(ec, {}, { jku: evil.url }))).toBe("jane");
});

test.each([
  ["an expired token", { exp: 0 }],
  ["a token that never ends", { exp: undefined }],
  ["a token whose end is text", { exp: "9999999999" }],
  ["a token that is not valid yet", { nbf: 60 }],
  ["a token of the future", { iat: 60 }],
  ["a token for somebody else", { aud: "web" }],
  ["a token for several others", { aud: ["web", "ratings"] }],
  ["a token whose audiences hide in an object", { aud: { 0: "reviews" } }],
  ["a token for nobody", { aud: undefined }],
  ["a token of another issuer", { iss: "https://attacker.example" }],
  ["a token of an issuer with a slash more", { iss: `${ISSUER}/` }],
  ["a token of an issuer in other case", { iss: ISSUER.toUpperCase() }],
  ["a token of several issuers", { iss: [ISSUER] }],
  ["a token of nobody", { iss: undefined }],
])("refuses %s, however well signed", async (_what, claims) => {
  expect(await gate.try(tokenOf(ec, claims))).toBe(REFUSED);
});

test("an audience among others is enough", async () => {
  expect(await gate.try(tokenOf(ec, { aud: ["web", "reviews"] }))).toBe("jane");
});

test("refuses a token in which two readers could see two", async () => {
  const twice = JSON.stringify({ ...CLAIMS, sub: "jane" }).replace('"sub":"jane"', '"sub":"root","sub":"jane"');
  expect(await gate.try(tokenOf(ec, twice))).toBe(REFUSED);
  expect(await gate.try(tokenOf(ec, {}, '{"alg":"ES256","kid":"attacker","kid":"ec"}'))).toBe(REFUSED);
  const answers = await gate.send({ authorization: [`Bearer ${tokenOf(ec)}`, `Bearer ${tokenOf(attacker)}`] });
  expect(answers.kind === "refused" && answers.error).toMatchObject({ status: 400, code: "invalid_request" });
  expect(await gate.try(`${tokenOf(ec)}, Bearer ${tokenOf(attacker)}`)).toBe(REFUSED);
});

test("refuses what is no signed token: encrypted, nested, in other serializations, half", async () => {
  const token = tokenOf(ec);
  const [header = "", body = "", signature = ""] = token.split(".");
  const forms = [
    `${base64url({ alg: "RSA-OAEP", enc: "A256GCM" })}.AA.AA.AA.AA`,
    `${base64url({ alg: "dir", enc: "A128CBC-HS256" })}..AA.AA.AA`,
    tokenOf(ec, {}, { cty: "JWT" }),
    JSON.stringify({ protected: header, payload: body, signature }),
    JSON.stringify({ payload: body, signatures: [{ protected: header, signature }] }),
    `${header}.${body}`,
    `${header}.${body}.`,
    `${header}..${signature}`,
    `.${body}.${signature}`,
    `${token}.`,
    `${token}.${token}`,
    `${header}.${body}.${signature.slice(0, -2)}`,
    `${header}.${body}.${signature}AA`,
    `${header}.${body}.${"A".repeat(signature.length)}`,
    `${header} .${body}.${signature}`,
    token.replaceAll(".", "%2e"),
    encodeURIComponent(`${token}=`),
    "..",
    ".",
    "null",
    "undefined",
    "[object Object]",
  ];
  for (const form of forms) expect([form, await gate.try(form)]).toEqual([form, REFUSED]);
});

test("refuses what is too large unread, and what unfolds to too much", async () => {
  const large = tokenOf(ec, { filler: "a".repeat(8_192) });
  expect(await gate.why(large)).toContain("longer than 8192");
  const deep = tokenOf(ec, `{"iss":"${ISSUER}","a":${"[".repeat(2_000)}${"]".repeat(2_000)}}`);
  expect(await gate.why(deep)).toContain("nests deeper");
  const wide = tokenOf(ec, `{"iss":"${ISSUER}","aud":"reviews","a":[${"1,".repeat(2_000)}1]}`);
  expect(await gate.why(wide)).toContain("exp is not there");
});

test("refuses a token under a key that is too weak, also where the issuer publishes it", async () => {
  const weak = signingKey("rsa-1024", "weak");
  const one = { ...rsa.jwk, kid: "one", e: "AQ" };
  const weakGate = tokenGate([jwtRuleOf([weak, { ...rsa, jwk: one }, ec])]);
  expect(await weakGate.try(tokenOf(weak))).toBe(REFUSED);
  // With an exponent of 1 a signature is its padded digest, which anybody can write.
  expect(await weakGate.try(unsigned("one"))).toBe(REFUSED);
});

/** SHA-256 before a digest in PKCS #1 (RFC 8017 section 9.2). */
const DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

function unsigned(kid: string): string {
  const input = `${base64url({ alg: "RS256", kid })}.${base64url({ ...CLAIMS, sub: "root" })}`;
  const digest = Buffer.concat([DIGEST_INFO, hash("sha256", input, "buffer")]);
  const padding = Buffer.alloc(256 - 3 - digest.length, 255);
  return `${input}.${base64url(Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), digest]))}`;
}

test("an ECDSA signature of zeros proves nothing", async () => {
  const input = tokenOf(ec, { sub: "root" }).split(".").slice(0, 2).join(".");
  for (const bytes of [Buffer.alloc(64), Buffer.alloc(64, 255), Buffer.alloc(0), Buffer.alloc(72, 48)])
    expect(await gate.try(`${input}.${base64url(bytes)}`)).toBe(REFUSED);
});

test("a token that is valid elsewhere does not make another one in the same request valid", async () => {
  const from = [
    { header: "authorization", prefix: "Bearer " },
    { header: "x-token", prefix: "" },
  ];
  const { send } = tokenGate([jwtRuleOf([ec], { from })]);
  for (const headers of [
    { ...bearer(tokenOf(ec)), "x-token": tokenOf(attacker) },
    { ...bearer(tokenOf(attacker)), "x-token": tokenOf(ec) },
  ])
    for (let time = 0; time < 2; time++) expect((await send(headers)).kind).toBe("refused");
});
