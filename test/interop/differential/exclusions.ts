import type { AuthorizationCondition } from "@heddle/core";
import type { Compared, PolicyCase, TokenForm } from "./cases.ts";

/** Where ours and Envoy differ because they are meant to. `exclusions.test.ts` shows both answers of each. */
export interface Exclusion {
  readonly name: ExclusionName;
  readonly why: string;
  /** Whatever Envoy answers, ours lets nobody in whom Envoy does not. This is held to also where an exclusion applies. */
  readonly isStricter: boolean;
  /** Only by what was asked under which rules: an exclusion does not see the answers. */
  applies(compared: Compared): boolean;
}

/**
 * The two also differ in one second: ours refuses a token from `exp` and the clock skew on, Envoy when that second is over. It is no
 * exclusion, as no token is drawn that would reach it while it is compared (`tokens.ts`).
 */
export const EXCLUSION_NAMES = [
  "missing identity",
  "host on any port",
  "broken escape",
  "escapes in upper case",
  "repeated header",
  "claim that is no text",
  "broken x-forwarded-for",
  "strict token",
  "odd segment",
  "character in a template",
] as const;
export type ExclusionName = (typeof EXCLUSION_NAMES)[number];

const PEER_KINDS: readonly string[] = ["principal", "trust-domain", "namespace", "service-account"];
const TOKEN_KINDS: readonly string[] = ["request-principal", "audience", "presenter", "claim"];

const STRICT_FORMS: readonly TokenForm[] = ["other-type", "loose-audience"];

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    name: "missing identity",
    isStricter: true,
    why: "Envoy takes who is unknown for somebody else, so that `not` lets nobody in; here it cannot be told, which allows nothing and is denied",
    applies: (compared) => asked(compared).some((one) => lacksIdentity(compared, one) && (one.isDenied || one.isInverted)),
  },
  {
    name: "host on any port",
    isStricter: false,
    why: "a host without a port stands for the host on any port here, as it does where virtual hosts are claimed; Envoy compares Host as it is written",
    applies: (compared) => /:\d+$/.test(compared.request.host) && asks(compared, "host"),
  },
  {
    name: "broken escape",
    isStricter: true,
    why: "an escape that is none may be one path to who decodes it and another to who does not, and is refused; Envoy lets it pass",
    applies: ({ policy, request }) => policy.pathNormalisation !== "none" && /%(?![0-9A-Fa-f]{2})/.test(pathname(request.path)),
  },
  {
    name: "escapes in upper case",
    isStricter: false,
    why: "an escape has one spelling here, so that a rule cannot be passed by another; Envoy leaves its case",
    applies: ({ policy, request }) =>
      policy.pathNormalisation !== "none" && /%([a-f][0-9A-Fa-f]|[0-9A-F][a-f])/.test(pathname(request.path)),
  },
  {
    name: "repeated header",
    isStricter: true,
    why: "of fields of one name that a rule tells apart, one alone or all together, nobody knows which the application takes; Envoy asks for one that matches",
    applies: (compared) => asked(compared).some(({ condition }) => condition.kind === "header" && isRepeated(compared, condition.name)),
  },
  {
    name: "claim that is no text",
    isStricter: true,
    why: "a number is no text that could be compared, so that the rule cannot be told; Envoy takes it for absent",
    applies: (compared) => compared.request.token.forms.includes("number-claim") && asks(compared, "claim"),
  },
  {
    name: "broken x-forwarded-for",
    isStricter: true,
    why: "where a trusted proxy wrote no address the client is unknown here, and such a rule cannot be told; Envoy takes the peer for the client",
    applies: (compared) => asks(compared, "client-ip") && hasBrokenHop(compared),
  },
  {
    name: "strict token",
    isStricter: true,
    why: "no token is taken with a type that issuers sign for other ends (RFC 8725 3.11), or for an audience that is only nearly the rule's (RFC 7519 4.1.3); Envoy takes both",
    applies: ({ request }) => request.token.forms.some((form) => STRICT_FORMS.includes(form)),
  },
  {
    name: "odd segment",
    isStricter: false,
    why: "segments are those of RFC 3986, so that ..; is a name, and slashes that are merged leave one; Envoy takes ..; for .. as servlets do, and leaves two slashes of a path of nothing else",
    applies: ({ policy, request }) => hasOddSegment(policy, request.path),
  },
  {
    name: "character in a template",
    isStricter: false,
    why: "{*} and {**} stand for any character but the slash that ends an element; Envoy's stand for those that RFC 3986 lets paths have",
    applies: (compared) => asksTemplate(compared) && /[^A-Za-z0-9\-._~%!$&'()*+,;:@=/]/.test(pathname(compared.request.path)),
  },
];

interface Asked {
  readonly condition: Exclude<AuthorizationCondition, { kind: "group" }>;
  /** It, or a group that it is in. */
  readonly isInverted: boolean;
  readonly isDenied: boolean;
}

/** Each condition of the rules in force. */
function asked({ policy }: Compared): readonly Asked[] {
  return policy.policies
    .filter(({ mode, action }) => mode === "enforce" && action !== "audit")
    .flatMap(({ action, rules }) =>
      rules.flatMap(({ from, to, when }) =>
        [...from.flat(), ...to.flat(), ...when].flatMap((condition) => unfolded(condition, action === "deny", false)),
      ),
    );
}

function unfolded(condition: AuthorizationCondition, isDenied: boolean, isInverted: boolean): readonly Asked[] {
  if (condition.kind !== "group") return [{ condition, isDenied, isInverted: isInverted || condition.not }];
  return condition.groups.flat().flatMap((inner) => unfolded(inner, isDenied, isInverted || condition.not));
}

function asks(compared: Compared, kind: AuthorizationCondition["kind"]): boolean {
  return asked(compared).some(({ condition }) => condition.kind === kind);
}

function asksTemplate(compared: Compared): boolean {
  return asked(compared).some(({ condition }) => condition.kind === "path" && condition.values.some(({ kind }) => kind === "template"));
}

function lacksIdentity({ request: { caller, token } }: Compared, { condition }: Asked): boolean {
  if (PEER_KINDS.includes(condition.kind)) return caller.id === null;
  if (!TOKEN_KINDS.includes(condition.kind)) return false;
  // Who shows an invalid one is refused before any rule is asked.
  if (token.kind === "invalid") return false;
  return token.claims === null || (condition.kind === "request-principal" && token.claims.sub === undefined);
}

function pathname(path: string): string {
  return path.split("?", 1)[0] ?? "";
}

function hasOddSegment({ pathNormalisation }: PolicyCase, path: string): boolean {
  if (pathNormalisation === "none") return false;
  const slashes = pathNormalisation === "decode-and-merge-slashes" ? /\\|%5c|%2f/gi : /\\/g;
  const plain = pathname(path).replaceAll(/%2e/gi, ".").replaceAll(slashes, "/");
  // Slashes alone also where segments between them are resolved away.
  return /\/\.{1,2};/.test(plain) || /^\/{2,}$/.test(new URL(`http://reviews${plain}`).pathname);
}

function isRepeated({ request }: Compared, name: string): boolean {
  const values = request.headers.filter(([header]) => header === name).map(([, value]) => value);
  return values.length > 1;
}

function hasBrokenHop({ policy, request }: Compared): boolean {
  const written = request.headers.find(([name]) => name === "x-forwarded-for")?.[1];
  if (written === undefined || policy.trustedHops === 0) return false;
  const hops = written.split(",").slice(-policy.trustedHops);
  return hops.some((hop) => !/^(\d+\.\d+\.\d+\.\d+|[0-9a-f:]+)$/.test(hop.trim()) || hop.split(".").length === 3);
}
