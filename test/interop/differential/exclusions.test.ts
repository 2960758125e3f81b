import type {
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationPolicy,
  ConditionGroup,
  JwtRule,
  PathNormalisation,
} from "@heddle/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Caller, PolicyCase, SentRequest, TokenForm } from "./cases.ts";
import { Draws } from "./draws.ts";
import { EXCLUSION_NAMES, EXCLUSIONS, type ExclusionName } from "./exclusions.ts";
import { ISSUERS, jwtRule, validToken } from "./tokens.ts";
import { type Answers, World } from "./world.ts";

interface Shown {
  readonly exclusion: ExclusionName;
  readonly policy: PolicyCase;
  readonly request: SentRequest;
  /** Decision, and the path where the application was asked. */
  readonly ours: string;
  readonly envoy: string;
}

interface CaseParts {
  readonly action?: AuthorizationAction;
  readonly when?: ConditionGroup;
  readonly paths?: PathNormalisation;
  readonly trustedHops?: number;
  readonly jwt?: readonly JwtRule[];
}

const WEB: Caller = { address: "127.9.0.1", id: "spiffe://shop.test/ns/shop/sa/web", sni: "reviews.shop.test" };
const NOBODY: Caller = { ...WEB, id: null };
const [one] = ISSUERS;

let names = 0;

/** One rule; without a condition none. */
function caseOf({ action = "allow", when, paths = "base", trustedHops = 0, jwt = [] }: CaseParts): PolicyCase {
  const name = `shown-${names++}`;
  const rules = [{ name: "rule", from: [], to: [], when: when ?? [] }];
  const policies: AuthorizationPolicy[] = when === undefined ? [] : [{ name, action, mode: "enforce", rules, origin: "test" }];
  return { name, pathNormalisation: paths, trustedHops, policies, jwt };
}

function requestOf(parts: Partial<SentRequest> = {}): SentRequest {
  const token = { kind: "none", forms: [], claims: null } as const;
  return { caller: WEB, method: "GET", path: "/a", host: "reviews", headers: [], token, ...parts };
}

function withToken(form: TokenForm, claims: Readonly<Record<string, unknown>> = {}): SentRequest {
  const token = validToken(new Draws(1), one, { aud: "reviews", ...claims }, form);
  return requestOf({
    headers: [["authorization", `Bearer ${token.text}`]],
    token: { kind: "valid", forms: [form], claims: token.claims },
  });
}

const exact = (value: string) => ({ kind: "exact", value, ignoreCase: false }) as const;
const pathIn = (kind: "exact" | "template", value: string): AuthorizationCondition =>
  ({ kind: "path", not: false, values: [{ ...exact(value), kind }] }) as AuthorizationCondition;
const notJob: AuthorizationCondition = { kind: "principal", not: true, values: [exact("spiffe://shop.test/ns/shop/sa/job")] };
const teamBlue: AuthorizationCondition = { kind: "header", name: "x-team", not: false, values: [exact("blue")] };
const inGroup: AuthorizationCondition = { kind: "claim", path: ["groups"], not: true, values: [exact("admin")] };
const fromLoopback: AuthorizationCondition = { kind: "client-ip", not: false, blocks: ["127.0.0.0/8"] };
const host: AuthorizationCondition = { kind: "host", not: false, values: [{ ...exact("reviews"), ignoreCase: true }] };

const asked = (when: AuthorizationCondition, parts: CaseParts = {}) => caseOf({ when: [when], ...parts });
const repeated = requestOf({
  headers: [
    ["x-team", "blue"],
    ["x-team", "red"],
  ],
});
const strict = (form: TokenForm, audiences: readonly string[] = []): Shown => ({
  exclusion: "strict token",
  policy: caseOf({ jwt: [jwtRule(one, { audiences })] }),
  request: withToken(form),
  ours: "unauthenticated",
  envoy: "allowed /a",
});

const SHOWN: readonly Shown[] = [
  { exclusion: "missing identity", policy: asked(notJob), request: requestOf({ caller: NOBODY }), ours: "denied", envoy: "allowed /a" },
  { exclusion: "host on any port", policy: asked(host), request: requestOf({ host: "reviews:8080" }), ours: "allowed /a", envoy: "denied" },
  { exclusion: "broken escape", policy: caseOf({}), request: requestOf({ path: "/a%zz" }), ours: "refused", envoy: "allowed /a%zz" },
  {
    exclusion: "escapes in upper case",
    policy: asked(pathIn("exact", "/a%2Fb")),
    request: requestOf({ path: "/a%2fb" }),
    ours: "allowed /a%2Fb",
    envoy: "denied",
  },
  { exclusion: "repeated header", policy: asked(teamBlue), request: repeated, ours: "denied", envoy: "allowed /a" },
  {
    exclusion: "claim that is no text",
    policy: asked(inGroup, { jwt: [jwtRule(one)] }),
    request: withToken("number-claim"),
    ours: "denied",
    envoy: "allowed /a",
  },
  {
    exclusion: "broken x-forwarded-for",
    policy: asked(fromLoopback, { trustedHops: 1 }),
    request: requestOf({ headers: [["x-forwarded-for", "unknown"]] }),
    ours: "denied",
    envoy: "allowed /a",
  },
  strict("other-type"),
  strict("loose-audience", ["reviews"]),
  { exclusion: "odd segment", policy: caseOf({}), request: requestOf({ path: "/a/..;/b" }), ours: "allowed /a/..;/b", envoy: "allowed /b" },
  {
    exclusion: "odd segment",
    policy: caseOf({ paths: "merge-slashes" }),
    request: requestOf({ path: "///" }),
    ours: "allowed /",
    envoy: "allowed //",
  },
  {
    exclusion: "character in a template",
    policy: asked(pathIn("template", "/{*}")),
    request: requestOf({ path: "/a[" }),
    ours: "allowed /a[",
    envoy: "denied",
  },
];

let world: World | undefined;
beforeAll(async () => {
  world = await World.open(() => SHOWN.map(({ policy }) => policy));
}, 240_000);
afterAll(() => world?.[Symbol.asyncDispose]());

async function answersOf({ policy, request }: Shown): Promise<Answers> {
  if (world === undefined) throw new Error("there is no Envoy");
  using asking = world.under(policy);
  return await asking.ask(request);
}

test.each(SHOWN)("$exclusion: ours $ours, Envoy $envoy", async (shown) => {
  const { ours, envoy } = await answersOf(shown);
  const told = ({ decision, path }: Answers["ours"]) => (path === null ? decision : `${decision} ${path}`);
  expect({ ours: told(ours), envoy: told(envoy) }).toEqual({ ours: shown.ours, envoy: shown.envoy });
  expect(EXCLUSIONS.filter((one) => one.applies(shown)).map(({ name }) => name)).toEqual([shown.exclusion]);
});

test("there are at most ten, and both answers of each are shown", () => {
  expect(EXCLUSIONS.length).toBeLessThanOrEqual(10);
  expect(EXCLUSIONS.map(({ name }) => name)).toEqual(EXCLUSION_NAMES);
  expect([...new Set(SHOWN.map(({ exclusion }) => exclusion))]).toEqual(EXCLUSION_NAMES);
});
