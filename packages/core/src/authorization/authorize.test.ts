import { expect, test } from "vitest";
import { pathIs, policyOf, ruleOf, textIs } from "../../test/authorization/builders.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { Deadlines } from "../deadlines.ts";
import { type InboundInit, setVerifiedToken, startInbound } from "../inbound-call.ts";
import { type InboundConnection, UNKNOWN_CONNECTION } from "../inbound-connection.ts";
import { InboundRefusal } from "../inbound-refusal.ts";
import { localResponse } from "../message.ts";
import type { AuthorizationPolicy } from "../model/authorization.ts";
import { reportOf } from "../report.ts";
import { authorize } from "./authorize.ts";
import { AuthorizationCounters } from "./counters.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";

function connectionOf(spiffeId: string | null, parts: Partial<InboundConnection> = {}): InboundConnection {
  const peer = { trustDomain: "shop.example", namespace: "shop", serviceAccount: "web", fingerprint: "" };
  return { ...UNKNOWN_CONNECTION, peer: spiffeId === null ? null : { ...peer, spiffeId }, ...parts };
}

interface Asked {
  readonly policies: readonly AuthorizationPolicy[];
  readonly trustedHops?: number;
  readonly counters?: AuthorizationCounters;
  readonly connection?: InboundConnection;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly request?: Partial<InboundInit>;
}

/** The request, what it was answered or refused with, and whether the application was called. */
async function ask({ policies, trustedHops = 0, counters = new AuthorizationCounters(), connection, claims, request: parts }: Asked) {
  const clock = virtualClock();
  let isCalled = false;
  const { request, inbound } = startInbound(
    { clock, deadlines: new Deadlines(clock) },
    {
      method: "GET",
      scheme: "http",
      authority: "reviews",
      path: "/api/7?secret=1",
      headers: {},
      app: () => Promise.resolve(localResponse(200, null)),
      ...(connection && { connection }),
      ...parts,
    },
  );
  if (claims) setVerifiedToken(request, { rule: "issuer", issuer: "issuer", subject: "me", audiences: [], claims });
  const layer = authorize({ policies, pathNormalisation: "merge-slashes", trustedHops }, counters);
  const answer = layer(() => {
    isCalled = true;
    return Promise.resolve(localResponse(200, null));
  })(request);
  const outcome = await answer.then(
    ({ status }) => status,
    (error: unknown) => error,
  );
  return { request, inbound, outcome, isCalled };
}

const reads = policyOf({ name: "reads", rules: [ruleOf({ from: [[textIs("principal", WEB)]], to: [[textIs("method", "GET")]] })] });

test("a request that a rule allows reaches the application, and the report names the rule", async () => {
  const { outcome, isCalled, request } = await ask({ policies: [reads], connection: connectionOf(WEB) });
  expect([outcome, isCalled]).toEqual([200, true]);
  expect(reportOf(request.context).authorization).toEqual({ rule: "reads", reason: "allowed_by_rule", audited: [], shadow: null });
});

test("what no rule allows is refused with a fixed body, and its message has no query", async () => {
  const { outcome, isCalled, request } = await ask({
    policies: [reads],
    connection: connectionOf("spiffe://shop.example/ns/shop/sa/evil"),
  });
  expect(isCalled).toBe(false);
  expect(outcome).toBeInstanceOf(InboundRefusal);
  expect(outcome).toMatchObject({ code: "permission_denied", status: 403, body: "RBAC: access denied" });
  expect((outcome as Error).message).toBe(
    `serving GET http://reviews/api/7: no allow rule matches; the nearest is reads, not matched: principal in "${WEB}"`,
  );
  expect(request.context.authorization).toMatchObject({ rule: null, reason: "not_allowed" });
});

test("where an identity is missing that would have decided, the answer is 401 and names how to show one", async () => {
  const plain = await ask({ policies: [reads], connection: connectionOf(null) });
  expect(plain.outcome).toMatchObject({ code: "unauthenticated", status: 401, headers: { "www-authenticate": "mTLS" } });
  const admins = policyOf({
    name: "admins",
    rules: [
      ruleOf({ when: [{ kind: "claim", not: false, path: ["role"], values: [{ kind: "exact", value: "admin", ignoreCase: false }] }] }),
    ],
  });
  const anonymous = await ask({ policies: [admins], connection: connectionOf(WEB) });
  expect(anonymous.outcome).toMatchObject({ code: "unauthenticated", headers: { "www-authenticate": "Bearer" } });
  expect((await ask({ policies: [admins], claims: { role: "admin" } })).outcome).toBe(200);
  expect((await ask({ policies: [admins], claims: { role: "guest" } })).outcome).toMatchObject({ code: "permission_denied" });
});

test("the client is the peer, or whom so many trusted proxies name", async () => {
  const inside = policyOf({ name: "inside", rules: [ruleOf({ from: [[{ kind: "client-ip", not: false, blocks: ["10.0.0.0/8"] }]] })] });
  const connection = connectionOf(null, { peerAddress: "192.0.2.1" });
  const headers = { "x-forwarded-for": "198.51.100.1, 10.1.2.3" };
  const statusOf = async (trustedHops: number) =>
    (await ask({ policies: [inside], trustedHops, connection, request: { headers } })).outcome;
  expect(await statusOf(0)).toMatchObject({ status: 403 });
  expect(await statusOf(1)).toBe(200);
  expect(await statusOf(2)).toMatchObject({ status: 403 });
});

test("counters tell what each rule decided, and are kept over a change of the policies", async () => {
  const counters = new AuthorizationCounters();
  const denied = policyOf({ name: "closed", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin")]] })] });
  const watched = policyOf({ name: "watched", action: "audit", rules: [ruleOf({})] });
  const tried = policyOf({ name: "tried", action: "deny", mode: "shadow", rules: [ruleOf({ to: [[textIs("method", "GET")]] })] });
  const policies = [reads, denied, watched, tried];
  const connection = connectionOf(WEB);
  await ask({ policies, counters, connection });
  await ask({ policies, counters, connection, request: { path: "/admin" } });
  const { request } = await ask({ policies, counters, connection, request: { method: "POST" } });
  expect(request.context.authorization).toMatchObject({ reason: "not_allowed", audited: ["watched"], shadow: null });
  const matched = () => Object.fromEntries(counters.inspect().rules.map(({ rule, matched }) => [rule, matched]));
  expect(matched()).toEqual({ reads: 1, closed: 1, watched: 3, tried: 2 });
  expect(counters.inspect()).toMatchObject({ allowed: 1, denied: 2, shadowDiffers: 1 });
  await ask({ policies: [reads], counters, connection });
  expect(matched()).toEqual({ reads: 2 });
});

test("what a policy in shadow would have done is told and not done", async () => {
  const tried = policyOf({ name: "tried", action: "deny", mode: "shadow", rules: [ruleOf({ to: [[textIs("method", "GET")]] })] });
  const { outcome, request } = await ask({ policies: [reads, tried], connection: connectionOf(WEB) });
  expect(outcome).toBe(200);
  expect(request.context.authorization).toEqual({
    rule: "reads",
    reason: "allowed_by_rule",
    audited: [],
    shadow: { allowed: false, rule: "tried" },
  });
});
