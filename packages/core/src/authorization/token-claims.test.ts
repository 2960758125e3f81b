import { expect, test } from "vitest";
import { CLAIMS, ISSUER, jwtRuleOf } from "../../test/token-issuer.ts";
import { claimText } from "./token-claim-headers.ts";
import { checkClaims } from "./token-claims.ts";

const rule = jwtRuleOf([], { audiences: ["reviews", "ratings"], clockSkewMs: 2_000 });

function reasonOf(claims: Readonly<Record<string, unknown>>, wallMs = 0): string {
  const reading = checkClaims({ ...CLAIMS, ...claims }, rule, wallMs);
  return reading.ok ? "" : reading.reason;
}

test("says what the token is, and from when until when", () => {
  const reading = checkClaims({ ...CLAIMS, aud: ["x", "ratings"], nbf: 1, iat: 2, exp: 10 }, rule, 5_000);
  expect(reading.ok && reading.value).toMatchObject({
    token: { rule: "issuer", issuer: ISSUER, subject: "jane", audiences: ["x", "ratings"] },
    fromMs: 0,
    untilMs: 12_000,
  });
});

test.each([
  ["exp", { exp: 10 }, 11_999, 12_000, "it expired at 1970-01-01T00:00:10Z"],
  ["a part of a second", { exp: 9.5 }, 11_499, 11_500, "it expired at 1970-01-01T00:00:09.500Z"],
])("ends with %s and the tolerance", (_what, claims, goodMs, badMs, why) => {
  expect(reasonOf(claims, goodMs)).toBe("");
  expect(reasonOf(claims, badMs)).toBe(why);
});

test.each([["nbf"], ["iat"]])("begins with %s less the tolerance", (claim) => {
  expect(reasonOf({ [claim]: 10 }, 8_000)).toBe("");
  expect(reasonOf({ [claim]: 10 }, 7_999)).toBe("it is not valid before 1970-01-01T00:00:10Z");
});

test.each([
  ["another issuer", { iss: `${ISSUER}/` }, "its issuer is another"],
  ["no issuer", { iss: undefined }, "its issuer is another"],
  ["another audience", { aud: "web" }, "none of its audiences"],
  ["no audience", { aud: undefined }, "none of its audiences"],
  ["an empty list of audiences", { aud: [] }, "none of its audiences"],
  ["part of an audience", { aud: ["review"] }, "none of its audiences"],
  ["an audience in other case", { aud: "Reviews" }, "none of its audiences"],
  ["an audience that is an object", { aud: { reviews: true } }, "aud is neither"],
  ["audiences of which one is no text", { aud: ["reviews", 1] }, "aud is neither"],
  ["a subject that is no text", { sub: 7 }, "sub is not text"],
  ["no end", { exp: undefined }, "exp is not there or no date"],
  ["an end that is text", { exp: "3600" }, "exp is not there or no date"],
  ["an end that is null", { exp: null }, "exp is not there or no date"],
  ["an end before time", { exp: -1 }, "exp is not there or no date"],
  ["an end beyond all dates", { exp: 1e300 }, "exp is not there or no date"],
  ["a beginning that is text", { nbf: "0" }, "nbf is no date"],
  ["a beginning that is null", { nbf: null }, "nbf is no date"],
  ["a time of issue that is true", { iat: true }, "iat is no date"],
])("refuses %s", (_what, claims, why) => {
  expect(reasonOf(claims)).toContain(why);
});

test("a rule without audiences takes tokens for any, and for none", () => {
  const any = jwtRuleOf([]);
  for (const aud of ["web", ["a", "b"], undefined]) expect(checkClaims({ ...CLAIMS, aud }, any, 0).ok).toBe(true);
  expect(checkClaims({ ...CLAIMS, aud: 7 }, any, 0).ok).toBe(false);
});

test.each([
  ["text", "jane doe", "jane doe"],
  ["empty text", "", ""],
  ["text with a comma", "doe, jane", "doe, jane"],
  ["a number", 1.5, "1.5"],
  ["a boolean", false, "false"],
  ["a list", ["a", 1, true], "a,1,true"],
  ["an empty list", [], ""],
  ["a list of which one holds a comma", ["a", "b,admin"], undefined],
  ["a list of which one is empty", ["a", ""], undefined],
  ["a list in a list", ["a", ["b"]], undefined],
  ["an object", { a: 1 }, undefined],
  ["null", null, undefined],
  ["nothing", undefined, undefined],
  ["text with a line end", "a\r\nx-admin: 1", undefined],
  ["text with a zero", "a\0", undefined],
  ["text beyond ASCII", "J\u00fcrgen", undefined],
  ["text with a blank at its end", "jane ", undefined],
])("of a claim that is %s a header holds what cannot be taken for something else", (_what, claim, text) => {
  expect(claimText({ realm: { claim } }, ["realm", "claim"])).toBe(text);
});

test("finds claims by the names that lead to them, and only those that the token has", () => {
  const claims = { a: { b: { c: "deep" } }, "a.b": "dotted", list: ["x"] };
  expect(claimText(claims, ["a", "b", "c"])).toBe("deep");
  expect(claimText(claims, ["a.b"])).toBe("dotted");
  for (const path of [["a", "x", "c"], ["constructor", "name"], ["a", "toString"], ["list", "0"], ["list", "length"], ["__proto__"]])
    expect(claimText(claims, path)).toBeUndefined();
});

test("a claim that every object inherits, because some code put it there, is nobody's", () => {
  const inherited = Object.prototype as unknown as Record<string, unknown>;
  inherited.role = "admin";
  try {
    expect(claimText({ realm: {} }, ["role"])).toBeUndefined();
    expect(claimText({ realm: {} }, ["realm", "role"])).toBeUndefined();
  } finally {
    delete inherited.role;
  }
});
