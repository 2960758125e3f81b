import { expect, test } from "vitest";
import { inboundPolicyOf } from "../../test/builders.ts";
import {
  base64url,
  bearer,
  CLAIMS,
  ISSUER,
  jwtRuleOf,
  type Passage,
  pass,
  type SigningKey,
  signingKey,
  tokenOf,
} from "../../test/token-issuer.ts";
import { type VirtualClock, virtualClock } from "../../test/virtual-clock.ts";
import { InboundRefusal } from "../inbound-refusal.ts";
import type { HeaderMap } from "../message.ts";
import type { JwtRule } from "../model/jwt.ts";
import { authenticate } from "./authenticate.ts";
import { KeySets } from "./key-sets.ts";

const key = signingKey();
const other = signingKey("P-256", "k2");
const rsa = signingKey("rsa", "r1");

interface Gate {
  readonly clock: VirtualClock;
  send(headers: HeaderMap): Promise<Passage>;
}

function gate(...rules: readonly JwtRule[]): Gate {
  const clock = virtualClock();
  const keySets = new KeySets({ clock, random: () => 0, fetch: null, report: () => {} });
  const policy = inboundPolicyOf("reviews", { jwt: rules });
  const layer = authenticate({ policy: () => policy, keySets, clock });
  return { clock, send: (headers) => pass(layer, headers, { clock }) };
}

function passed(passage: Passage): Extract<Passage, { kind: "passed" }> {
  if (passage.kind === "refused") throw passage.error;
  return passage;
}

function refusal(passage: Passage): InboundRefusal {
  if (passage.kind === "refused" && passage.error instanceof InboundRefusal) return passage.error;
  throw new Error(`expected a refusal, found ${passage.kind === "refused" ? String(passage.error) : "that it passed"}`);
}

test("a valid token is the request's, and the application does not get its text", async () => {
  const { headers, inbound } = passed(await gate(jwtRuleOf([key])).send({ ...bearer(tokenOf(key, { role: "admin" })), accept: "*/*" }));
  expect(inbound.jwt).toEqual({
    rule: "issuer",
    issuer: ISSUER,
    subject: "jane",
    audiences: ["reviews"],
    claims: { ...CLAIMS, role: "admin" },
  });
  expect({ ...headers }).toEqual({ accept: "*/*" });
});

test("the application gets the text of a token that its rule forwards", async () => {
  const token = tokenOf(key);
  const { headers } = passed(await gate(jwtRuleOf([key], { forward: true })).send(bearer(token)));
  expect(headers.authorization).toBe(`Bearer ${token}`);
});

test("a request without a token passes, as one does that says otherwise who it is", async () => {
  const { send } = gate(jwtRuleOf([key]));
  for (const headers of [{}, { authorization: "Basic abc" }, { authorization: "Bearerx" }, { authorization: "" }]) {
    const passage = passed(await send(headers));
    expect(passage.inbound.jwt).toBeUndefined();
    expect(passage.headers).toBe(headers);
  }
});

test("tells who sends a token that is not valid nothing but that", async () => {
  const { send } = gate(jwtRuleOf([key]));
  const wrong = [
    tokenOf(other),
    tokenOf(key, { exp: 0 }),
    tokenOf(key, { iss: "https://other.example" }),
    "a.b.c",
    "",
    `${tokenOf(key)}, Bearer x`,
  ];
  const answers = [];
  for (const token of wrong) {
    const { code, status, headers, body, message } = refusal(await send(bearer(token)));
    answers.push({ code, status, headers, body });
    expect(message).toContain("serving GET http://reviews/api: the token in authorization is not valid: ");
    expect(message).not.toContain("secret");
    if (token !== "") expect(message).not.toContain(token);
  }
  const answer = {
    code: "unauthenticated",
    status: 401,
    headers: { "www-authenticate": 'Bearer realm="mesh", error="invalid_token", error_description="the token is not valid"' },
    body: "",
  };
  expect(answers).toEqual(wrong.map(() => answer));
});

test.each(["Bearer ", "bearer ", "BEARER   ", " Bearer\t", "bEaReR \t "])("reads the scheme %j", async (scheme) => {
  const { send } = gate(jwtRuleOf([key]));
  expect(passed(await send({ authorization: `${scheme}${tokenOf(key)} ` })).inbound.jwt?.subject).toBe("jane");
  expect(refusal(await send({ authorization: `${scheme}${tokenOf(other)}` })).code).toBe("unauthenticated");
});

test("reads a token from each header that its rule names, after the prefix it names", async () => {
  const from = [
    { header: "authorization", prefix: "Bearer " },
    { header: "x-token", prefix: "" },
    { header: "x-other", prefix: "jwt=" },
  ];
  const { send } = gate(jwtRuleOf([key], { from }));
  for (const headers of [{ "x-token": tokenOf(key) }, { "x-other": `jwt=${tokenOf(key)}` }])
    expect(passed(await send(headers)).inbound.jwt?.subject).toBe("jane");
  expect({ ...passed(await send({ "x-token": tokenOf(key), "x-other": `jwt=${tokenOf(key)}` })).headers }).toEqual({});
  const elsewhere = { "x-other": tokenOf(other) };
  expect(passed(await send(elsewhere)).headers).toBe(elsewhere);
});

test("one header may hold the tokens of two rules, by what comes before them", async () => {
  const short = jwtRuleOf([key], { name: "short", from: [{ header: "x-token", prefix: "jwt" }] });
  const long = jwtRuleOf([other], { name: "long", from: [{ header: "x-token", prefix: "jwt-b " }] });
  const { send } = gate(short, long);
  expect(passed(await send({ "x-token": `jwt${tokenOf(key)}` })).inbound.jwt?.rule).toBe("short");
  expect(passed(await send({ "x-token": `jwt-b ${tokenOf(other)}` })).inbound.jwt?.rule).toBe("long");
  expect(refusal(await send({ "x-token": `jwt-b ${tokenOf(key)}` })).code).toBe("unauthenticated");
});

test("refuses a header of tokens that is sent more than once, whatever it holds", async () => {
  const { send } = gate(jwtRuleOf([key]));
  for (const authorization of [
    [`Bearer ${tokenOf(key)}`, `Bearer ${tokenOf(key)}`],
    ["Basic abc", `Bearer ${tokenOf(key)}`],
  ]) {
    const { code, status, headers } = refusal(await send({ authorization }));
    expect({ code, status }).toEqual({ code: "invalid_request", status: 400 });
    expect(headers["www-authenticate"]).toContain('error="invalid_request"');
  }
  expect(passed(await send({ authorization: [`Bearer ${tokenOf(key)}`] })).inbound.jwt?.subject).toBe("jane");
});

test("a token counts where its own rule looks for it, and nowhere else", async () => {
  const first = jwtRuleOf([key], { name: "first" });
  const second = jwtRuleOf([other], { name: "second", issuer: "https://other.example", from: [{ header: "x-token", prefix: "" }] });
  const { send } = gate(first, second);
  const foreign = tokenOf(other, { iss: "https://other.example" });
  expect(passed(await send({ "x-token": foreign })).inbound.jwt?.rule).toBe("second");
  // Once it is remembered as valid, too.
  expect(refusal(await send(bearer(foreign))).code).toBe("unauthenticated");
});

test("of several rules of one issuer any is enough, and of several tokens every one has to be valid", async () => {
  const first = jwtRuleOf([key], { name: "first", audiences: ["ratings"] });
  const second = jwtRuleOf([key], { name: "second", audiences: ["reviews"], from: [...first.from, { header: "x-token", prefix: "" }] });
  const { send } = gate(first, second);
  expect(passed(await send(bearer(tokenOf(key)))).inbound.jwt?.rule).toBe("second");
  expect(passed(await send(bearer(tokenOf(key, { aud: ["ratings", "reviews"] })))).inbound.jwt?.rule).toBe("first");
  const both = { ...bearer(tokenOf(key, { aud: "ratings" })), "x-token": tokenOf(key, { sub: "joe" }) };
  expect(passed(await send(both)).inbound.jwt).toMatchObject({ rule: "first", subject: "jane" });
  const order = { ...bearer(tokenOf(key, { sub: "joe" })), "x-token": tokenOf(key) };
  expect(passed(await send(order)).inbound.jwt).toMatchObject({ rule: "second", subject: "joe" });
  expect(refusal(await send({ ...both, "x-token": tokenOf(other) })).code).toBe("unauthenticated");
  expect(refusal(await send({ ...both, "x-token": "" })).code).toBe("unauthenticated");
});

test("the token of the first rule is the request's, wherever it stands", async () => {
  const both = [
    { header: "authorization", prefix: "Bearer " },
    { header: "x-token", prefix: "" },
  ];
  const first = jwtRuleOf([key], { name: "first", from: both });
  const second = jwtRuleOf([other], { name: "second", issuer: "https://other.example", from: both });
  const [one, two] = [tokenOf(key), tokenOf(other, { iss: "https://other.example" })];
  for (const headers of [
    { ...bearer(one), "x-token": two },
    { ...bearer(two), "x-token": one },
  ]) {
    expect(passed(await gate(first, second).send(headers)).inbound.jwt?.rule).toBe("first");
    expect(passed(await gate(second, first).send(headers)).inbound.jwt?.rule).toBe("second");
  }
});

test("gives claims in headers, and never those that somebody else wrote", async () => {
  const claimHeaders = [
    { header: "x-user", claim: ["sub"] },
    { header: "x-roles", claim: ["realm", "roles"] },
    { header: "x-missing", claim: ["none"] },
  ];
  const { send } = gate(jwtRuleOf([key], { claimHeaders }));
  const spoofed = { "x-user": "root", "x-roles": ["a", "b"], "x-missing": "1", "x-kept": "1" };
  expect({ ...passed(await send(spoofed)).headers }).toEqual({ "x-kept": "1" });
  const headers = { ...spoofed, ...bearer(tokenOf(key, { realm: { roles: ["admin", 7] } })) };
  for (const _ of ["verified", "remembered"])
    expect({ ...passed(await send(headers)).headers }).toEqual({ "x-kept": "1", "x-user": "jane", "x-roles": "admin,7" });
});

test("an application that changes claims does not change what the next request is decided by", async () => {
  const { send } = gate(jwtRuleOf([key]));
  const headers = bearer(tokenOf(key, { groups: ["user"], realm: { role: "user" } }));
  const claims = passed(await send(headers)).inbound.jwt?.claims as { groups: string[]; realm: { role: string } };
  expect(() => claims.groups.push("admin")).toThrow(TypeError);
  expect(() => Object.assign(claims.realm, { role: "admin" })).toThrow(TypeError);
  expect(passed(await send(headers)).inbound.jwt?.claims).toMatchObject({ groups: ["user"], realm: { role: "user" } });
});

test("a remembered token is refused as soon as it expires", async () => {
  const { send, clock } = gate(jwtRuleOf([key], { clockSkewMs: 1_500 }));
  const headers = bearer(tokenOf(key, { exp: 10 }));
  passed(await send(headers));
  clock.tick(11_499);
  passed(await send(headers));
  clock.tick(1);
  expect(refusal(await send(headers)).message).toContain("it expired at 1970-01-01T00:00:10Z");
});

test("a remembered token is refused while a wall clock that was set back says that it is not valid yet", async () => {
  const virtual = virtualClock();
  let wallMs = 10_000;
  const clock = { ...virtual, wallTime: () => wallMs };
  const keySets = new KeySets({ clock, random: () => 0, fetch: null, report: () => {} });
  const policy = inboundPolicyOf("reviews", { jwt: [jwtRuleOf([key])] });
  const layer = authenticate({ policy: () => policy, keySets, clock });
  const headers = bearer(tokenOf(key, { nbf: 10 }));
  passed(await pass(layer, headers, { clock }));
  wallMs = 9_999;
  expect(refusal(await pass(layer, headers, { clock })).message).toContain("it is not valid before 1970-01-01T00:00:10Z");
  wallMs = 10_000;
  passed(await pass(layer, headers, { clock }));
});

test("a rule whose keys changed forgets what it verified", async () => {
  const clock = virtualClock();
  const keySets = new KeySets({ clock, random: () => 0, fetch: null, report: () => {} });
  let policy = inboundPolicyOf("reviews", { jwt: [jwtRuleOf([key])] });
  const layer = authenticate({ policy: () => policy, keySets, clock });
  const headers = bearer(tokenOf(key));
  passed(await pass(layer, headers, { clock }));
  policy = inboundPolicyOf("reviews", { jwt: [jwtRuleOf([other])] });
  expect(refusal(await pass(layer, headers, { clock })).code).toBe("unauthenticated");
  policy = inboundPolicyOf("reviews");
  expect(passed(await pass(layer, headers, { clock })).headers).toBe(headers);
});

const ALL: readonly SigningKey[] = [
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const).map((algorithm) => ({ ...rsa, algorithm })),
  key,
  signingKey("P-384"),
  signingKey("P-521"),
  signingKey("ed25519"),
];

test.each(ALL.map((one) => [one.algorithm, one] as const))(
  "verifies %s, and not where the rule does not allow it",
  async (algorithm, signer) => {
    const token = tokenOf(signer);
    expect(passed(await gate(jwtRuleOf([signer])).send(bearer(token))).inbound.jwt?.subject).toBe("jane");
    const without = jwtRuleOf([signer]).algorithms.filter((one) => one !== algorithm);
    expect(refusal(await gate(jwtRuleOf([signer], { algorithms: without })).send(bearer(token))).code).toBe("unauthenticated");
    const changed = `${token.split(".")[0]}.${base64url({ ...CLAIMS, sub: "root" })}.${token.split(".")[2]}`;
    expect(refusal(await gate(jwtRuleOf([signer])).send(bearer(changed))).code).toBe("unauthenticated");
  },
);

test("a token that names no key is tried with all that fit, up to eight", async () => {
  const nameless = signingKey("P-256", null);
  const many = Array.from({ length: 8 }, (_, index) => signingKey("P-256", `m${index}`));
  expect(passed(await gate(jwtRuleOf([...many.slice(1), nameless])).send(bearer(tokenOf(nameless)))).inbound.jwt?.subject).toBe("jane");
  expect(refusal(await gate(jwtRuleOf([...many, nameless])).send(bearer(tokenOf(nameless)))).code).toBe("unauthenticated");
});
