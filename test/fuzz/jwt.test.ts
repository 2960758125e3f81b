import fc from "fast-check";
import { parseJwks } from "../../packages/core/src/authorization/terms/jwks.ts";
import { readJsonObject } from "../../packages/core/src/authorization/token-json.ts";
import { findTokens, tokenLocations } from "../../packages/core/src/authorization/token-locations.ts";
import { readToken } from "../../packages/core/src/authorization/token-text.ts";
import { JWT_ALGORITHMS } from "../../packages/core/src/model/jwt.ts";
import { base64url, jwtRuleOf, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { tokenGate } from "../security/token-gate.ts";
import { expectSame, fuzz, fuzzAsync } from "./fuzz.ts";
import { edited, edits, HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const keys = [signingKey("P-256", "ec"), signingKey("rsa", "rsa"), signingKey("ed25519", "ed"), signingKey("P-256", null)];
const strangers = [signingKey("P-256", "ec"), signingKey("rsa", "rsa")];
/** Of the issuer, and of nobody: parts of both are mixed. */
const valid = keys.flatMap((key) => [tokenOf(key), tokenOf(key, { sub: "joe", aud: ["a", "b"] })]);
const worthless = [
  ...strangers.map((key) => tokenOf(key, { sub: "root" })),
  ...keys.flatMap((key) => [tokenOf(key, { exp: 0 }), tokenOf(key, { iss: "https://other.example" })]),
];
const gate = tokenGate([jwtRuleOf(keys)]);

const PIECES = [".", "..", "=", "-", "_", "+", "/", "A", "eyJ", "eyJhbGciOiJub25lIn0", " ", "\n", "\0", ",", "Bearer "];
const ALGORITHMS = [...JWT_ALGORITHMS, "none", "NONE", "HS256", "HS512", "Ed25519", "dir", ""];

const part = fc.constantFrom(...[...valid, ...worthless].flatMap((token) => token.split(".")));
const member = fc.oneof(
  fc.tuple(fc.constant("alg"), fc.constantFrom<unknown>(...ALGORITHMS, null, ["ES256"])),
  fc.tuple(fc.constant("kid"), fc.oneof(fc.constantFrom<unknown>("ec", "rsa", "ed", null, 1), hostileText(2))),
  fc.tuple(fc.constant("jwk"), fc.constantFrom<unknown>(...strangers.map(({ jwk }) => jwk))),
  fc.tuple(
    fc.constantFrom("jku", "x5u", "x5c", "crit", "b64", "typ", "cty", "zip", "enc", "p2c", "epk", ...HOSTILE_NAMES),
    fc.jsonValue({ maxDepth: 1 }),
  ),
);

/** The header of a token with members changed, before the payload and signature of the same or another. */
const rewritten = fc
  .tuple(fc.constantFrom(...valid), fc.constantFrom(...valid, ...worthless), fc.array(member, { minLength: 1, maxLength: 3 }))
  .map(([token, other, members]) => {
    const [head = ""] = token.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
    const changed = Object.fromEntries([...Object.entries(header), ...members]);
    return [base64url(changed), ...other.split(".").slice(1)].join(".");
  });

/** One bit of what the parts hold. */
const flipped = fc.tuple(fc.constantFrom(...valid), fc.integer({ min: 0, max: 2 }), fc.nat(10_000)).map(([token, index, bit]) => {
  const parts = token.split(".").map((text) => Buffer.from(text, "base64url"));
  const bytes = parts[index] ?? Buffer.alloc(1);
  const at = Math.floor(bit / 8) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
  return parts.map((bytesOfPart) => bytesOfPart.toString("base64url")).join(".");
});

const attempt = fc.oneof(
  fc.tuple(fc.constantFrom(...valid), edits(PIECES, 2)).map(([token, changes]) => edited(token, changes)),
  fc.tuple(part, part, part).map((parts) => parts.join(".")),
  fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
  rewritten,
  flipped,
  piecesOf([...PIECES, ...valid.flatMap((token) => token.split("."))], 6),
  hostileText(),
);

const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");

fuzzAsync("a token is valid exactly if its issuer signed this very text", attempt, async (text) => {
  const answer = await gate.try(text);
  const isValid = valid.includes(trimmed(text));
  // Bearer within what is sent as a bearer token is no part of one.
  expectSame(answer === "jane" || answer === "joe", isValid, answer);
  if (!isValid) expectSame(answer, "401 unauthenticated");
});

fuzz("reads of a token what JSON.parse reads, or refuses it in plain words that hold nothing of it", attempt, (text) => {
  const reading = readToken(text);
  if (!reading.ok) {
    expectSame(/^[ -~]+$/.test(reading.reason), true, reading.reason);
    return;
  }
  const [head = "", body = ""] = text.split(".");
  expectSame(reading.value.claims, JSON.parse(Buffer.from(body, "base64url").toString()));
  expectSame(reading.value.algorithm, (JSON.parse(Buffer.from(head, "base64url").toString()) as { alg: unknown }).alg);
});

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify({ value })),
  fc
    .array(
      fc.tuple(
        fc.constantFrom("a", "b", "a\\u0062", "\\u0061", '\\"', "__proto__"),
        fc.constantFrom("1", '"a,b"', "{}", '{"a":[]}', "[{},{}]"),
      ),
    )
    .map((members) => `{${members.map(([key, value]) => `"${key}":${value}`).join(",")}}`),
  piecesOf(['{"a":', "}", "[", "]", ",", '"a"', ":", "1", '"\\"', "\\", " ", "null", '{"a":1', ',"a":2'], 12),
  fc.nat(4_000).map((depth) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`),
);

/** Every key of the text, found by giving each a name of its own: two of one name in one object leave fewer keys than the text has. */
function keysIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, one) => sum + keysIn(one), own);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

fuzz("reads JSON in which no key stands twice, and no other", json, (text) => {
  const reading = readJsonObject(Buffer.from(text));
  const value = parsed(text);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (reading.ok) expectSame(reading.value, value);
  if (!isObject || text.length > 4_000) return;
  // A colon outside of texts stands behind a key.
  const keysWritten = text.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(":").length - 1;
  const isPlain = keysWritten === keysIn(value) && !/"__proto__":/.test(text) && depthOf(text) <= 16;
  expectSame(reading.ok, isPlain, text);
});

function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (const char of text.replace(/"(?:[^"\\]|\\.)*"/g, "")) {
    if (char === "{" || char === "[") most = Math.max(most, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return most;
}

const jwk = fc.dictionary(
  fc.constantFrom("kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y", "d", "k", ...HOSTILE_NAMES),
  fc.oneof(
    fc.constantFrom<unknown>(
      "RSA",
      "EC",
      "OKP",
      "oct",
      "sig",
      "enc",
      "P-256",
      "Ed25519",
      "AQAB",
      "AQ",
      "ES256",
      "HS256",
      ["verify"],
      ["sign"],
    ),
    fc.constantFrom(...keys.flatMap((key) => Object.values(key.jwk))),
    fc.jsonValue({ maxDepth: 1 }),
  ),
);
const jwks = fc.oneof(
  fc
    .array(
      fc.oneof(
        jwk,
        jwk.map((changes) => ({ ...keys[0]?.jwk, ...changes })),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      { maxLength: 4 },
    )
    .map((list) => JSON.stringify({ keys: list })),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  hostileText(),
);

fuzz("reads key sets, and takes from them public keys for signatures alone", jwks, (text) => {
  const reading = parseJwks(text);
  if (!reading.ok) return;
  for (const { jwk: members, algorithms } of reading.value.keys) {
    expectSame(
      Object.keys(members).every((name) => ["kty", "n", "e", "crv", "x", "y"].includes(name)),
      true,
    );
    expectSame(algorithms.length > 0 && algorithms.every((algorithm) => JWT_ALGORITHMS.includes(algorithm)), true);
    if (members.kty === "RSA") expectSame((members.n ?? "").length >= 341, true);
  }
});

const locations = tokenLocations([
  jwtRuleOf(keys),
  jwtRuleOf(keys, {
    from: [
      { header: "x-token", prefix: "" },
      { header: "authorization", prefix: "Token " },
      { header: "x-other", prefix: "jwt=" },
    ],
  }),
]);
const value = fc.oneof(piecesOf(["Bearer", "bearer", "Token", " ", "\t", "jwt=", "a.b.c", ",", "Basic", "Bearer "], 4), hostileText(3));

fuzz(
  "finds in each header at most one token, which stands at its end, and never takes one of several fields",
  fc.record(
    { authorization: fc.oneof(value, fc.array(value, { maxLength: 3 })), "x-token": value, "x-other": value },
    { requiredKeys: [] },
  ),
  (headers) => {
    const search = findTokens(locations, headers);
    const isSeveral = Array.isArray(headers.authorization) && headers.authorization.length > 1;
    expectSame(search.kind, isSeveral ? "ambiguous" : "found");
    if (search.kind === "ambiguous") return;
    expectSame(new Set(search.tokens.map(({ header }) => header)).size, search.tokens.length);
    for (const { header, text } of search.tokens) {
      const field = headers[header as keyof typeof headers];
      expectSame(trimmed(Array.isArray(field) ? (field[0] ?? "") : (field ?? "")).endsWith(text), true);
    }
    const first = Array.isArray(headers.authorization) ? headers.authorization[0] : headers.authorization;
    // What an application that splits at blanks would take for a bearer token is always looked at.
    if (first !== undefined && /^bearer$/i.test(trimmed(first).split(/[ \t]+/)[0] ?? ""))
      expectSame(
        search.tokens.some(({ header }) => header === "authorization"),
        true,
      );
  },
);
