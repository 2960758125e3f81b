import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { expect, test } from "vitest";
import { signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { jwksServer, keysAnswer } from "./jwks-server.ts";
import { remoteRule, tokenGate } from "./token-gate.ts";

const REFUSED = "401 unauthenticated";
const old = signingKey("P-256", "old");
const next = signingKey("P-256", "next");

test("with the key server down at the start every token is refused, and valid ones pass once it is back", async () => {
  await using issuer = await jwksServer((_request, response) => response.writeHead(503).end());
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.why(tokenOf(old))).toContain("the keys of its issuer cannot be had: ");
  expect(await gate.try(tokenOf(old))).toBe(REFUSED);
  expect(issuer.asked.length).toBe(1);
  expect(gate.problems).toEqual([`jwt issuer: ${issuer.url}: it answered 503, expected 200; every token is refused`]);
  issuer.answer = keysAnswer(old.jwk);
  gate.clock.tick(1_000);
  expect(await gate.try(tokenOf(old))).toBe("jane");
});

test("with nobody at the address every token is refused", async () => {
  const issuer = await jwksServer(keysAnswer(old.jwk));
  await issuer.stop();
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(old))).toBe(REFUSED);
  expect(gate.problems[0]).toContain("ECONNREFUSED");
  await issuer[Symbol.asyncDispose]();
});

test("with the key server down later keys serve on for as long as the rule says, and then no token passes, verified before or not", async () => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url, { maxAgeMs: 60_000, staleIfErrorMs: 120_000 })], issuer.fetch);
  const [seen, fresh] = [tokenOf(old), tokenOf(old, { jti: "2" })];
  expect(await gate.try(seen)).toBe("jane");
  await issuer.stop();
  gate.clock.tick(60_000);
  expect(await gate.try(seen)).toBe("jane");
  gate.clock.tick(119_999);
  expect(await gate.try(seen)).toBe("jane");
  expect(await gate.try(fresh)).toBe("jane");
  gate.clock.tick(1);
  expect(await gate.try(seen)).toBe(REFUSED);
  expect(await gate.try(fresh)).toBe(REFUSED);
});

test("a key server that is slow holds requests up to the timeout, with one request to it", async () => {
  await using issuer = await jwksServer(() => {});
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const waiting = Array.from({ length: 200 }, (_, index) => gate.try(tokenOf(old, { jti: `${index}` })));
  await issuer.came(1);
  await gate.clock.advance(5_000);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([REFUSED]));
  expect(issuer.asked.length).toBe(1);
  expect(gate.clock.pendingTimers).toBe(0);
});

test("a key server that never ends its answer is given up as well", async () => {
  await using issuer = await jwksServer((_request, response) => void response.write('{"keys":['));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const waiting = gate.try(tokenOf(old));
  await issuer.came(1);
  await gate.clock.advance(5_000);
  expect(await waiting).toBe(REFUSED);
});

test("an answer that is huge is given up before it is read", async () => {
  let written = 0;
  await using issuer = await jwksServer((_request, response) => {
    const chunk = Buffer.alloc(64 * 1024, 32);
    const more = (): void => {
      while (!response.destroyed && written < 200 * 1024 * 1024) {
        written += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  });
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(old))).toBe(REFUSED);
  expect(gate.problems[0]).toContain("more than 1048576 bytes");
  expect(written).toBeLessThan(64 * 1024 * 1024);
});

test.each([301, 302, 303, 307, 308])("a redirect (%d) is not followed", async (status) => {
  await using evil = await jwksServer(keysAnswer({ ...next.jwk, kid: "old" }));
  await using issuer = await jwksServer((_request, response) => response.writeHead(status, { location: evil.url }).end());
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(next, { sub: "root" }, { kid: "old" }))).toBe(REFUSED);
  expect(evil.asked).toEqual([]);
  expect(gate.problems[0]).toContain(`it answered ${status}, expected 200`);
});

test.each([
  ["a page", "<html></html>"],
  ["nothing", ""],
  ["half of it", '{"keys":[{"kty":"EC"'],
  ["a list", "[]"],
  ["no keys", "{}"],
  ["keys that are no list", '{"keys":{}}'],
  ["null", "null"],
])("an answer that is %s leaves the last good keys in force", async (_what, text) => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(old))).toBe("jane");
  issuer.answer = (_request, response) => response.end(text);
  gate.clock.tick(300_000);
  expect(await gate.try(tokenOf(old, { jti: "2" }))).toBe("jane");
  expect(gate.problems.length).toBe(1);
});

test("an issuer that publishes no keys has none: tokens that were verified before are refused as well", async () => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const token = tokenOf(old);
  expect(await gate.try(token)).toBe("jane");
  issuer.answer = keysAnswer();
  gate.clock.tick(300_000);
  expect(await gate.try(token)).toBe(REFUSED);
});

test("a key that is new is found with the first token that names it, and one that is gone is gone", async () => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const before = tokenOf(old);
  expect(await gate.try(before)).toBe("jane");
  issuer.answer = keysAnswer(next.jwk);
  gate.clock.tick(30_000);
  expect(await Promise.all(Array.from({ length: 50 }, (_, index) => gate.try(tokenOf(next, { jti: `${index}` }))))).toEqual(
    Array(50).fill("jane"),
  );
  expect(issuer.asked.length).toBe(2);
  expect(await gate.try(before)).toBe(REFUSED);
});

test("a flood of key IDs that nobody knows asks the issuer once in a cooldown", { timeout: 60_000 }, async () => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(old))).toBe("jane");
  gate.clock.tick(30_000);
  const forged = tokenOf(next).split(".").slice(1).join(".");
  const tokenWith = (kid: string) => `${Buffer.from(JSON.stringify({ alg: "ES256", kid })).toString("base64url")}.${forged}`;
  for (let batch = 0; batch < 10; batch++) {
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => gate.try(tokenWith(`${batch}-${index}`))));
    expect(new Set(answers)).toEqual(new Set([REFUSED]));
  }
  expect(issuer.asked.length).toBe(2);
  expect(await gate.try(tokenOf(old, { jti: "2" }))).toBe("jane");
  gate.clock.tick(30_000);
  await gate.try(tokenWith("later"));
  expect(issuer.asked.length).toBe(3);
});

test("a symmetric key in the set, or a weak one, is no key, and the others are", async () => {
  const oct = { kty: "oct", k: "c2VjcmV0", kid: "old" };
  await using issuer = await jwksServer(keysAnswer(oct, signingKey("rsa-1024", "old").jwk, old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  expect(await gate.try(tokenOf(old))).toBe("jane");
});

test("without a fetch keys behind a URL cannot be had", async () => {
  const gate = tokenGate([remoteRule("https://issuer.example/jwks")]);
  expect(await gate.try(tokenOf(old))).toBe(REFUSED);
  expect(gate.problems[0]).toContain("no transport that fetches");
});

test("keys of rules that are no longer in force are not fetched, those of rules that stay are kept, and rules that come back have theirs again", async () => {
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const rule = remoteRule(issuer.url);
  const { keySets } = tokenGate([], issuer.fetch);
  keySets.prepare([rule]);
  await keySets.of(rule.jwks).load();
  const again = { ...remoteRule(issuer.url), name: "edited" };
  keySets.prepare([again]);
  expect(keySets.of(again.jwks).current()?.keys.length).toBe(1);
  expect(issuer.asked.length).toBe(1);
  const elsewhere = remoteRule(`${issuer.url}?other`);
  keySets.prepare([elsewhere]);
  await keySets.of(elsewhere.jwks).load();
  expect(await keySets.of(again.jwks).renew({ keys: [], ignored: [] })).not.toBeNull();
  expect(issuer.asked).toEqual(["/jwks", "/jwks?other"]);
  keySets.prepare([again]);
  expect((await keySets.of(again.jwks).load())?.keys.length).toBe(1);
  expect(issuer.asked).toEqual(["/jwks", "/jwks?other", "/jwks"]);
  keySets.close();
  keySets.close();
});

test("what is being fetched for rules that go out of force is given up", async () => {
  await using issuer = await jwksServer(() => {});
  const rule = remoteRule(issuer.url);
  const { keySets, clock, problems } = tokenGate([], issuer.fetch);
  keySets.prepare([rule]);
  await issuer.came(1);
  const waiting = keySets.of(rule.jwks).load();
  keySets.prepare([]);
  expect(await waiting).toBeNull();
  expect(clock.pendingTimers).toBe(0);
  expect(problems).toEqual([]);
});

test("keys are fetched past whatever dispatcher is global, and outside of the request that needs them", async () => {
  const storage = new AsyncLocalStorage<string>();
  let store: string | undefined = "none";
  const dispatcher = getGlobalDispatcher();
  await using issuer = await jwksServer(keysAnswer(old.jwk));
  const gate = tokenGate([remoteRule(issuer.url)], issuer.fetch);
  const connected = (): void => {
    store = storage.getStore();
  };
  subscribe("undici:client:connected", connected);
  const closed = new MockAgent();
  closed.disableNetConnect();
  setGlobalDispatcher(closed);
  try {
    expect(await storage.run("of the request", () => gate.try(tokenOf(old)))).toBe("jane");
  } finally {
    setGlobalDispatcher(dispatcher);
    unsubscribe("undici:client:connected", connected);
  }
  expect(store).toBeUndefined();
});
