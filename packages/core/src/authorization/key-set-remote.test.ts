import { expect, test } from "vitest";
import { signingKey } from "../../test/token-issuer.ts";
import { type VirtualClock, virtualClock } from "../../test/virtual-clock.ts";
import type { OwnFetch } from "./jwks-fetch.ts";
import { type RemoteJwks, RemoteKeySet } from "./key-set-remote.ts";
import { keysFor } from "./terms/jwks.ts";

const LOCATION: RemoteJwks = {
  kind: "remote",
  url: "https://issuer.example/jwks",
  maxAgeMs: 100_000,
  cooldownMs: 30_000,
  timeoutMs: 5_000,
  staleIfErrorMs: 200_000,
};
const first = signingKey("P-256", "first").jwk;
const second = signingKey("P-256", "second").jwk;

interface Issuer {
  readonly clock: VirtualClock;
  readonly keySet: RemoteKeySet;
  readonly problems: string[];
  fetches: number;
  /** What the next fetches get: keys, a failure, or for ever nothing. */
  answer: readonly object[] | Error | "silence";
}

function issuerOf(location: Partial<RemoteJwks> = {}, random = 0): Issuer {
  const clock = virtualClock();
  const problems: string[] = [];
  const fetch: OwnFetch = async () => {
    issuer.fetches++;
    const { answer } = issuer;
    if (answer === "silence") return new Promise(() => {});
    if (answer instanceof Error) throw answer;
    return new Response(JSON.stringify({ keys: answer }));
  };
  const deps = { clock, random: () => random, fetch, report: (problem: string) => void problems.push(problem) };
  const issuer: Issuer = { clock, keySet: new RemoteKeySet({ ...LOCATION, ...location }, deps), problems, fetches: 0, answer: [first] };
  return issuer;
}

function kids(ring: { readonly keys: readonly { readonly kid: string | null }[] } | null): readonly (string | null)[] | null {
  return ring?.keys.map(({ kid }) => kid) ?? null;
}

test("fetches when first asked, once for all who wait", async () => {
  const issuer = issuerOf();
  expect(issuer.keySet.current()).toBeNull();
  expect(issuer.fetches).toBe(0);
  const waiting = Array.from({ length: 100 }, () => issuer.keySet.load());
  for (const ring of await Promise.all(waiting)) expect(kids(ring)).toEqual(["first"]);
  expect(issuer.fetches).toBe(1);
  expect(kids(issuer.keySet.current())).toEqual(["first"]);
  expect(issuer.clock.pendingTimers).toBe(0);
});

test.each([
  [0, 89_999],
  [0.5, 84_999],
])("keys in use are fetched again before they are too old, and nobody waits (random %d)", async (random, lastMs) => {
  const issuer = issuerOf({}, random);
  const ring = await issuer.keySet.load();
  issuer.answer = [second];
  issuer.clock.tick(lastMs);
  expect(issuer.keySet.current()).toBe(ring);
  expect(issuer.fetches).toBe(1);
  issuer.clock.tick(1);
  expect(issuer.keySet.current()).toBe(ring);
  await issuer.clock.advance(0);
  expect(issuer.fetches).toBe(2);
  expect(kids(issuer.keySet.current())).toEqual(["second"]);
});

test("keys that nobody used are not used after they became too old: they are fetched first", async () => {
  const issuer = issuerOf();
  await issuer.keySet.load();
  issuer.answer = [second];
  issuer.clock.tick(100_000);
  expect(issuer.keySet.current()).toBeNull();
  expect(kids(await issuer.keySet.load())).toEqual(["second"]);
});

test("keys that are the same again stay the same object, so that what they verified stays verified", async () => {
  const issuer = issuerOf();
  const ring = await issuer.keySet.load();
  issuer.clock.tick(100_000);
  expect(await issuer.keySet.load()).toBe(ring);
  expect(issuer.fetches).toBe(2);
});

test("where fetching fails, the last good keys serve on for as long as the rule says, and no longer", async () => {
  const issuer = issuerOf();
  const ring = await issuer.keySet.load();
  issuer.answer = new Error("down");
  issuer.clock.tick(100_000);
  expect(await issuer.keySet.load()).toBe(ring);
  expect(issuer.fetches).toBe(2);
  expect(issuer.problems).toEqual(["https://issuer.example/jwks: down; the last good keys serve on for now"]);
  issuer.clock.tick(199_999);
  expect(issuer.keySet.current()).toBe(ring);
  issuer.clock.tick(1);
  expect(issuer.keySet.current()).toBeNull();
  expect(await issuer.keySet.load()).toBeNull();
  expect(issuer.keySet.problem).toBe("https://issuer.example/jwks: down");
});

test("with no stale time, keys that cannot be fetched again end at their age", async () => {
  const issuer = issuerOf({ staleIfErrorMs: 0 });
  await issuer.keySet.load();
  issuer.answer = new Error("down");
  issuer.clock.tick(99_999);
  expect(kids(issuer.keySet.current())).toEqual(["first"]);
  await issuer.clock.advance(1);
  expect(await issuer.keySet.load()).toBeNull();
});

test("what failed is tried again after a pause that doubles, up to the cooldown, and is told once", async () => {
  const issuer = issuerOf();
  issuer.answer = new Error("down");
  const attempts: number[] = [];
  for (let seconds = 0; seconds < 130; seconds++) {
    const before = issuer.fetches;
    expect(await issuer.keySet.load()).toBeNull();
    if (issuer.fetches > before) attempts.push(seconds);
    issuer.clock.tick(1_000);
  }
  expect(attempts).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121]);
  expect(issuer.problems).toEqual(["https://issuer.example/jwks: down; every token is refused"]);
  issuer.answer = [first];
  issuer.clock.tick(30_000);
  expect(kids(await issuer.keySet.load())).toEqual(["first"]);
  expect(issuer.keySet.problem).toBeNull();
});

test("a key that is not known is looked for once in a cooldown, however many ask", async () => {
  const issuer = issuerOf();
  const ring = await issuer.keySet.load();
  if (ring === null) throw new Error("no keys");
  issuer.answer = [first, second];
  issuer.clock.tick(29_999);
  expect(await issuer.keySet.renew(ring)).toBe(ring);
  issuer.clock.tick(1);
  const waiting = Array.from({ length: 10_000 }, () => issuer.keySet.renew(ring));
  for (const renewed of await Promise.all(waiting)) expect(kids(renewed)).toEqual(["first", "second"]);
  expect(issuer.fetches).toBe(2);
  const renewed = issuer.keySet.current();
  if (renewed === null) throw new Error("no keys");
  for (let count = 0; count < 1_000; count++) await issuer.keySet.renew(renewed);
  expect(issuer.fetches).toBe(2);
  expect(keysFor(renewed, "ES256", "second").length).toBe(1);
});

test("an issuer that does not answer is given up after the timeout", async () => {
  const issuer = issuerOf();
  issuer.answer = "silence";
  const waiting = issuer.keySet.load();
  await issuer.clock.advance(4_999);
  expect(issuer.problems).toEqual([]);
  await issuer.clock.advance(1);
  expect(await waiting).toBeNull();
  expect(issuer.problems).toEqual(["https://issuer.example/jwks: no complete answer within 5000 ms; every token is refused"]);
  expect(issuer.clock.pendingTimers).toBe(0);
});

test("closing ends what is being fetched, and nothing is fetched after it", async () => {
  const issuer = issuerOf();
  issuer.answer = "silence";
  const waiting = issuer.keySet.load();
  issuer.keySet.close();
  issuer.keySet.close();
  expect(await waiting).toBeNull();
  expect(issuer.clock.pendingTimers).toBe(0);
  issuer.clock.tick(100_000);
  expect(await issuer.keySet.load()).toBeNull();
  expect(issuer.fetches).toBe(1);
  expect(issuer.problems).toEqual([]);
});

test("an issuer that publishes no keys any more has none", async () => {
  const issuer = issuerOf();
  await issuer.keySet.load();
  issuer.answer = [];
  issuer.clock.tick(100_000);
  expect(kids(await issuer.keySet.load())).toEqual([]);
  expect(issuer.problems).toEqual(["https://issuer.example/jwks: it has no keys; every token is refused"]);
});

test("a key set without a key that can be used is told, with what is wrong", async () => {
  const issuer = issuerOf();
  issuer.answer = [{ kty: "oct", k: "c2VjcmV0" }, { kty: "RSA" }, [], []];
  expect(kids(await issuer.keySet.load())).toEqual([]);
  const why = "key 1: it is a symmetric key; key 2: n or e is not base64url; key 3: it is not an object";
  expect(issuer.problems).toEqual([`https://issuer.example/jwks: it has no key that can be used (${why}); every token is refused`]);
});

test.each([
  ["http://issuer.example/jwks", "the URL must begin with https://, as http:// is for loopback addresses only"],
  ["file:///etc/passwd", "the URL must begin with https://"],
  ["https://user:secret@issuer.example/", "the URL must not hold credentials"],
  ["jwks", "the URL is not a URL"],
])("does not fetch from %s", async (url, why) => {
  const issuer = issuerOf({ url });
  expect(await issuer.keySet.load()).toBeNull();
  expect(issuer.fetches).toBe(0);
  expect(issuer.keySet.problem).toContain(why);
});

test.each(["http://localhost:1/jwks", "http://127.0.0.1:1/jwks", "http://127.1.2.3/", "http://[::1]:1/"])(
  "fetches from %s",
  async (url) => {
    const issuer = issuerOf({ url });
    expect(kids(await issuer.keySet.load())).toEqual(["first"]);
  },
);
