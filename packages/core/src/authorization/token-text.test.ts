import { expect, test } from "vitest";
import { base64url, signingKey, tokenOf } from "../../test/token-issuer.ts";
import { readJsonObject } from "./token-json.ts";
import { readToken } from "./token-text.ts";

const key = signingKey();
const token = tokenOf(key);

function reasonOf(text: string): string {
  const reading = readToken(text);
  return reading.ok ? "" : reading.reason;
}

test("reads what a token says of itself", () => {
  const reading = readToken(token);
  expect(reading.ok && reading.value).toMatchObject({ algorithm: "ES256", kid: "k1", issuer: "https://issuer.example" });
});

test.each([["JWT"], ["jwt"], ["application/jwt"], ["at+jwt"], ["application/at+JWT"], ["JOSE"]])("takes the type %s", (typ) => {
  expect(reasonOf(tokenOf(key, {}, { typ }))).toBe("");
});

test.each([
  ["another type", { typ: "logout+jwt" }, "its type is not JWT, at+jwt or JOSE"],
  ["a type that is no text", { typ: ["JWT"] }, "its type is not JWT, at+jwt or JOSE"],
  ["extensions", { crit: ["exp"], exp: 1 }, "extensions that must be understood"],
  ["no extensions that must be understood", { crit: [] }, "extensions that must be understood"],
  ["a payload that is not encoded", { b64: false }, "how its payload is encoded"],
  ["a payload that is not encoded, as an extension", { b64: false, crit: ["b64"] }, "extensions that must be understood"],
  ["compression", { zip: "DEF" }, "encrypted, compressed"],
  ["encryption", { enc: "A128GCM" }, "encrypted, compressed"],
  ["another token in it", { cty: "JWT" }, "holds another token"],
  ["a key ID that is no text", { kid: { $ne: null } }, "its key ID is not text"],
  ["a long key ID", { kid: "a".repeat(257) }, "its key ID is not text"],
  ["no algorithm", { alg: undefined }, "its header names no algorithm"],
  ["several algorithms", { alg: ["ES256"] }, "its header names no algorithm"],
])("refuses %s", (_what, header, why) => {
  expect(reasonOf(tokenOf(key, {}, header))).toContain(why);
});

test.each([
  ["nothing", "", "it is not three parts"],
  ["two parts", "a.b", "it is not three parts"],
  ["an encrypted token", "a.b.c.d.e", "it is not three parts"],
  ["no signature", `${token.split(".").slice(0, 2).join(".")}.`, "not base64url"],
  ["padding", `${token}=`, "not base64url"],
  ["a blank", ` ${token}`, "not base64url"],
  ["a line end", `${token}\n`, "not base64url"],
  ["base64 of the other alphabet", token.replace(".", "+."), "not base64url"],
  ["what is too long", `${token}${"A".repeat(8_192)}`, "it is longer than 8192 characters"],
  ["a header that is no JSON", `${base64url("alg")}.${base64url({})}.AA`, "its header: it is not JSON"],
  ["a header that is a list", `${base64url([])}.${base64url({})}.AA`, "its header: it is not a JSON object"],
  ["claims that are null", tokenOf(key, "null"), "its claims: it is not a JSON object"],
  [
    "claims that are not UTF-8",
    `${token.split(".")[0]}.${base64url(new Uint8Array([0x22, 0xff, 0x22]))}.AA`,
    "its claims: it is not JSON in UTF-8",
  ],
  ["claims with a byte order mark", tokenOf(key, '\ufeff{"iss":"a"}'), "its claims: it is not JSON"],
  ["claims without an issuer", tokenOf(key, { iss: undefined }), "it names no issuer"],
  ["an issuer that is no text", tokenOf(key, { iss: ["a"] }), "it names no issuer"],
  ["an algorithm named twice", tokenOf(key, {}, '{"alg":"none","alg":"ES256"}'), "its header: a key stands in it twice"],
  ["a claim that stands twice", tokenOf(key, '{"iss":"a","sub":"jane","sub":"root"}'), "its claims: a key stands in it twice"],
  [
    "a claim that stands twice in two spellings",
    tokenOf(key, '{"iss":"a","sub":"jane","s\\u0075b":"root"}'),
    "its claims: a key stands in it twice",
  ],
  ["a claim that stands twice further down", tokenOf(key, '{"iss":"a","b":[{"c":{"d":1,"d":2}}]}'), "its claims: a key stands in it twice"],
  ["a claim named __proto__", tokenOf(key, '{"iss":"a","__proto__":{"admin":true}}'), "its claims: a key in it is __proto__"],
  ["claims that nest deep", tokenOf(key, `{"iss":"a","b":${"[".repeat(16)}${"]".repeat(16)}}`), "its claims: it nests deeper than 16"],
  [
    "claims that nest as deep as fits",
    `${token.split(".")[0]}.${base64url(`{"a":${"[".repeat(2_500)}${"]".repeat(2_500)}}`)}.AA`,
    "its claims: it nests deeper",
  ],
])("refuses %s", (_what, text, why) => {
  expect(reasonOf(text)).toContain(why);
});

test("of the spellings that decode to one signature only the plain one is a token", () => {
  const last = token.at(-1) ?? "";
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const spellings = [...alphabet].map((char) => token.slice(0, -1) + char);
  const same = spellings.filter((one) =>
    Buffer.from(one.split(".")[2] ?? "", "base64url").equals(Buffer.from(token.split(".")[2] ?? "", "base64url")),
  );
  expect(same.length).toBe(16);
  expect(same.filter((one) => reasonOf(one) === "")).toEqual([token.slice(0, -1) + last]);
});

test("equal keys of different objects, and commas and quotes in texts, are nothing twice", () => {
  const text = '{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}],"d":"\\",\\"d\\":1","e\\"":"{","f":[],"k":["k","k"],"g":{}}';
  const reading = readJsonObject(Buffer.from(text));
  expect(reading.ok && reading.value).toEqual(JSON.parse(text));
});
