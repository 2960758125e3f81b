import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { factsOf, peerOf, policyOf, tokenOf } from "../../test/authorization/builders.ts";
import { naiveDecide } from "../../test/authorization/naive.ts";
import type { AuthorizationCondition, AuthorizationPolicy, ConditionGroup, TextAttribute, ValueMatch } from "../model/authorization.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import { decide } from "./decide.ts";
import { explainAuthorization } from "./explain-decision.ts";
import type { RequestFacts } from "./facts.ts";
import { compileAuthorization } from "./rules.ts";
import { parseAddress } from "./terms/ip-block.ts";
import { parsePath, parseValue } from "./terms/value-forms.ts";

const SEED = 20263;
const POLICIES = 2500;
const REQUESTS = 8;
const LEAST_OF_A_KIND = 200;

/** Few words, so that what is asked is often what is there. */
const TEXTS: Readonly<Record<TextAttribute, readonly string[]>> = {
  principal: ["spiffe://shop.example/ns/shop/sa/web", "spiffe://shop.example/ns/shop/sa/job", "spiffe://shop.example/*", "*/sa/web", "*"],
  "trust-domain": ["shop.example", "other.example", "shop*", "*.example", "*"],
  namespace: ["shop", "pay", "sh*", "*ay", "*"],
  "service-account": ["shop/web", "pay/web", "shop/job"],
  "request-principal": ["https://issuer.example/ada", "https://issuer.example/*", "*/bob", "*"],
  audience: ["reviews", "rev*", "*ings", "*"],
  presenter: ["web", "w*", "*pp", "*"],
  host: ["reviews", "reviews:9081", "Rev*", "*.Example", "*:80", "*"],
  method: ["GET", "POST", "P*", "*T", "*"],
  sni: ["reviews.shop", "rev*", "*.shop", "*"],
};
const PATHS = [
  "/api/*",
  "/api/7",
  "/api/orders/*",
  "/admin",
  "*.png",
  "/api/{*}",
  "/{*}/orders/{**}",
  "/api/{**}/x",
  "/pkg.Reviews/Get",
  "*",
];

function exactly<T>(values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.subarray([...values], { minLength: 1, maxLength: 2 });
}

const foreign: fc.Arbitrary<ValueMatch> = fc.oneof(
  fc.constantFrom("a", "we", "1").map((value): ValueMatch => ({ kind: "contains", value, ignoreCase: false })),
  fc.constantFrom("[a-c]+", "w.*").map((value): ValueMatch => ({ kind: "regex", value, ignoreCase: false })),
  fc.constantFrom("A", "WEB").map((value): ValueMatch => ({ kind: "exact", value, ignoreCase: true })),
);
const words = fc.oneof(
  { weight: 4, arbitrary: exactly(["a", "b", "w*", "*b", "*"].map((value) => parseValue(value))) },
  { weight: 1, arbitrary: fc.array(foreign, { minLength: 1, maxLength: 2 }) },
);
const blocks = exactly(["10.0.0.0/8", "10.0.0.9", "192.168.1.0/24", "0.0.0.0/0"]);
const not = fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0);

function textCondition(kind: TextAttribute): fc.Arbitrary<AuthorizationCondition> {
  const values = TEXTS[kind].map((value) => parseValue(value, kind === "host"));
  return fc.record({ kind: fc.constant(kind), not, values: exactly(values) });
}

const ofPeer = fc.oneof(
  ...(["principal", "principal", "trust-domain", "namespace"] as const).map(textCondition),
  fc.record({ kind: fc.constantFrom("peer-ip", "client-ip"), not, blocks }),
  ...(["request-principal"] as const).map(textCondition),
) as fc.Arbitrary<AuthorizationCondition>;
const source: fc.Arbitrary<ConditionGroup> = fc.oneof(
  { weight: 4, arbitrary: fc.array(ofPeer, { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: textCondition("service-account").map((condition) => [condition]) },
);
const ofOperation = fc.oneof(
  fc.record({ kind: fc.constant("path"), not, values: exactly(PATHS.map(parsePath)) }),
  fc.record({ kind: fc.constant("path"), not, values: exactly(PATHS.map(parsePath)) }),
  textCondition("method"),
  textCondition("host"),
  fc.record({
    kind: fc.constant("port"),
    not,
    ranges: exactly([
      { from: 9081, to: 9081 },
      { from: 80, to: 443 },
    ]),
  }),
) as fc.Arbitrary<AuthorizationCondition>;
const ofWhen = fc.oneof(
  fc.record({ kind: fc.constant("header"), name: fc.constantFrom("x-a", "x-b"), not, values: words }),
  fc.record({ kind: fc.constant("claim"), path: fc.constantFrom(["group"], ["org", "role"], ["toString"]), not, values: words }),
  fc.record({ kind: fc.constant("local-ip"), not, blocks }),
  ...(["audience", "presenter", "sni"] as const).map(textCondition),
  fc.record({
    kind: fc.constant("group"),
    not,
    groups: fc.array(fc.array(fc.oneof(ofPeer, ofOperation), { maxLength: 2 }), { minLength: 1, maxLength: 2 }),
  }),
) as fc.Arbitrary<AuthorizationCondition>;

const rule = fc.record({
  from: fc.array(source, { maxLength: 2 }),
  to: fc.array(fc.array(ofOperation, { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
  when: fc.oneof(
    { weight: 2, arbitrary: fc.array(ofWhen, { maxLength: 0 }) },
    { weight: 1, arbitrary: fc.array(ofWhen, { maxLength: 2 }) },
  ),
});
const policy = fc.record({
  action: fc.constantFrom("allow", "allow", "allow", "deny", "deny", "audit"),
  mode: fc.constantFrom("enforce", "enforce", "shadow"),
  // Two rules at least, so that a rule is named after itself too; many at times, so that they are looked up.
  rules: fc.oneof(
    { weight: 2, arbitrary: fc.array(rule, { maxLength: 0 }) },
    { weight: 6, arbitrary: fc.array(rule, { minLength: 2, maxLength: 4 }) },
    { weight: 2, arbitrary: fc.array(rule, { minLength: 9, maxLength: 25 }) },
  ),
});
const policies: fc.Arbitrary<AuthorizationPolicy[]> = fc.array(policy, { maxLength: 4 }).map((all) =>
  all.map(({ action, mode, rules }, index) =>
    policyOf({
      name: `p${index}`,
      action,
      mode,
      rules: rules.map((drawn, place) => ({ name: `r${place}`, ...drawn })),
    }),
  ),
);

const claim = fc.constantFrom<unknown>("a", "b", "web", ["a", "b"], [], ["c", 3], 3, true, null, { role: "a" }, "");
const token = fc.record({
  subject: fc.constantFrom("ada", "bob", null),
  audiences: fc.constantFrom(["reviews"], ["ratings", "x"], []),
  presenter: fc.constantFrom("web", "app", null),
  claims: fc.oneof(fc.constant({}), fc.record({ group: claim, org: fc.oneof(claim, fc.record({ role: claim })) })),
});
const address = fc.constantFrom("10.0.0.9", "10.0.0.9", "192.168.1.7", "172.16.0.1", "none");
const header = fc.constantFrom<string | string[] | undefined>(undefined, "a", "web", "", ["a", "a"], ["a", "b"], []);
const request: fc.Arbitrary<RequestFacts> = fc
  .record({
    peer: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.tuple(
          fc.constantFrom("shop", "pay"),
          fc.constantFrom("web", "job"),
          fc.constantFrom("shop.example", "other.example"),
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom("none", "no-path") },
    ),
    token: fc.option(token, { freq: 3 }),
    peerIp: address,
    clientIp: address,
    localIp: address,
    localPort: fc.constantFrom(9081, 9081, 443, null),
    sni: fc.constantFrom(null, "reviews.shop", "ratings.shop"),
    authority: fc.constantFrom("reviews", "reviews:9081", "ratings.example:80", "reviews.example.", ""),
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
    path: fc.constantFrom(
      "/api/7",
      "/api/orders/9",
      "/api//x/../7",
      "/admin",
      "/admin?x",
      "/a.png",
      "/api/a/b/x",
      "/pkg.Reviews/Get",
      "/",
      "/%zz",
    ),
    headers: fc.record({ "x-a": header, "x-b": header }),
  })
  .map(({ peer, token: drawn, peerIp, clientIp, localIp, headers, ...rest }) => {
    const client = parseAddress(clientIp);
    const fields = Object.fromEntries(
      Object.entries(headers).filter(
        ([, value]) => value !== undefined && value.length !== undefined && !(Array.isArray(value) && value.length === 0),
      ),
    );
    return factsOf({
      ...rest,
      peer:
        peer === "none"
          ? null
          : typeof peer === "string"
            ? { id: "spiffe://shop.example/vm", trustDomain: "shop.example", namespace: null, serviceAccount: null }
            : peerOf(...peer),
      token: drawn === null ? null : tokenOf(drawn),
      peerIp: parseAddress(peerIp),
      clientIp: client === null ? { kind: "unknown", why: "drawn" } : { kind: "known", address: client },
      localIp: parseAddress(localIp),
      headers: fields,
    });
  });

const HELD = ["no", "undecided", "yes"] as const;

class Coverage {
  readonly #counts = new Map<string, number>();

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** What each condition of the rule says of the request, inverted or not. */
  countHeld({ from, to, when }: CompiledRule, facts: RequestFacts): void {
    if (facts.path.kind === "refused") return;
    for (const condition of [...from.flat(), ...to.flat(), ...when])
      this.count(`${condition.definition.kind} ${HELD[condition.test(facts)]}`);
  }

  countPolicies(all: readonly AuthorizationPolicy[]): void {
    const condition = (one: AuthorizationCondition): void => {
      this.count(`${one.not ? "not " : ""}${one.kind}`);
      if (one.kind === "group") one.groups.flat().forEach(condition);
      else if ("values" in one) for (const { kind } of one.values) this.count(`value ${kind}`);
    };
    for (const { rules, action, mode } of all) {
      this.count(`${action} ${mode}${rules.length === 0 ? " without rules" : ""}`);
      for (const { from, to, when } of rules) {
        if (from.length + to.length + when.length === 0) this.count("rule without conditions");
        [...from.flat(), ...to.flat(), ...when].forEach(condition);
      }
    }
  }
}

const ALL_KINDS = [...Object.keys(TEXTS), "path", "header", "claim", "peer-ip", "client-ip", "local-ip", "port", "group"];
/** What is always known of a request that is not refused. */
const ALWAYS_TOLD = ["path", "method", "sni"];

const KINDS: readonly string[] = [
  ...ALL_KINDS.flatMap((kind) => [`${kind} yes`, `${kind} no`]),
  ...ALL_KINDS.filter((kind) => !ALWAYS_TOLD.includes(kind)).map((kind) => `${kind} undecided`),
  ...ALL_KINDS.flatMap((kind) => [kind, `not ${kind}`]),
  ...["exact", "prefix", "suffix", "present", "template", "contains", "regex"].map((kind) => `value ${kind}`),
  "allow enforce",
  "deny enforce",
  "audit enforce",
  "allow shadow",
  "deny shadow",
  "audit shadow",
  "allow enforce without rules",
  "rule without conditions",
  "status 400",
  "status 401",
  "status 403",
  "reason allowed_by_rule",
  "reason no_allow_policy",
  "reason denied_by_rule",
  "reason denied_undecided",
  "reason not_allowed",
  "shadow disagrees",
  "audited",
];

test("decides as a naive reading of the semantics does, over every kind of condition, value and outcome", () => {
  const coverage = new Coverage();
  fc.assert(
    fc.property(policies, fc.array(request, { minLength: REQUESTS, maxLength: REQUESTS }), (all, requests) => {
      const compiled = compileAuthorization(all, "merge-slashes");
      coverage.countPolicies(all);
      for (const one of compiled.rules) for (const facts of requests.slice(0, 3)) coverage.countHeld(one, facts);
      for (const facts of requests) {
        const found = decide(compiled, facts);
        const expected = naiveDecide(all, facts);
        const told = {
          outcome: found.allowed ? "allowed" : "denied",
          status: found.status,
          rule: found.rule?.name ?? null,
          audited: found.audited.map(({ name }) => name),
          shadow: {
            outcome: (found.shadow?.verdict ?? found).allowed ? "allowed" : "denied",
            matched: found.shadow?.matched.map(({ name }) => name) ?? [],
          },
        };
        if (!isDeepStrictEqual(told, expected)) expect(told).toEqual(expected);
        for (const what of [found.allowed ? "allowed" : "denied", `status ${found.status}`, `reason ${found.reason}`]) coverage.count(what);
        if (expected.shadow.outcome !== expected.outcome) coverage.count("shadow disagrees");
        if (found.audited.length > 0) coverage.count("audited");
      }
    }),
    { seed: SEED, numRuns: POLICIES },
  );
  const short = KINDS.filter((kind) => coverage.of(kind) < LEAST_OF_A_KIND).map((kind) => `${kind}: ${coverage.of(kind)}`);
  expect(short, `fewer than ${LEAST_OF_A_KIND} of these were drawn`).toEqual([]);
  for (const outcome of ["allowed", "denied"]) {
    const share = coverage.of(outcome) / (POLICIES * REQUESTS);
    expect(share, `the share of ${outcome}`).toBeGreaterThan(0.2);
    expect(share, `the share of ${outcome}`).toBeLessThan(0.8);
  }
});

test("explains the decision that it takes: the rule that decided matched, and of its action none before it did", () => {
  fc.assert(
    fc.property(policies, request, (all, facts) => {
      const compiled = compileAuthorization(all, "merge-slashes");
      const { decision, rules } = explainAuthorization(compiled, facts);
      expect(decision).toEqual(decide(compiled, facts));
      if (facts.path.kind === "refused") return;
      const matched = rules.filter((one) => one.matched && one.mode === "enforce");
      const denying = matched.find(({ action }) => action === "deny");
      const deciding = denying ?? matched.find(({ action }) => action === "allow");
      expect(decision.rule?.index ?? null).toBe(deciding === undefined ? null : rules.indexOf(deciding));
      for (const { conditions, held } of rules) {
        if (held === "yes" && conditions.length > 0) expect(conditions.some((condition) => condition.held === "yes")).toBe(true);
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});
