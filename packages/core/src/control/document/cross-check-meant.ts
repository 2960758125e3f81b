import { templateProblem } from "../../authorization/terms/path-template.ts";
import { parsePath, parseValue } from "../../authorization/terms/value-forms.ts";
import type { AuthorizeRuleDocument, InboundDocument, JwtDocument } from "../../gen/document.ts";
import { nearest } from "../../nearest.ts";
import type { KnownIdentities } from "./known-identities.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";

type Terms = Pick<AuthorizeRuleDocument, "from" | "to" | "when">;

const METHODS: readonly string[] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/** What the keys of `when` compare, by the lists that compare the same. */
const LISTS_OF_KEYS: Readonly<Record<string, string>> = {
  "source.principal": "principals",
  "source.trustDomain": "trustDomains",
  "request.auth.principal": "requestPrincipals",
};

/**
 * Values that may match, and hardly what was meant: a star that is a star, a name that is nearly a known one. An issuer that none of the
 * rules for tokens has is more than that: no token of it ever passes.
 */
export function crossCheckMeant(
  { authorize = [], jwt = [] }: InboundDocument,
  path: Path,
  known: KnownIdentities,
  mistakes: Mistakes,
): void {
  const checkRule = (rule: Terms, at: Path): void => {
    for (const { list, values, at: place } of listsOf(rule, at)) {
      if (mistakes.hasMistakeIn(place)) continue;
      for (const [index, value] of values.entries()) {
        const issuer = list === "requestPrincipals" && jwt.length > 0 ? issuerProblem(value, jwt, mistakes) : null;
        const doubt = doubtOf(list, value, known);
        if (issuer !== null) mistakes.add([...place, index], issuer);
        if (doubt !== null) mistakes.warn([...place, index], doubt);
      }
    }
  };
  for (const [index, policy] of authorize.entries()) {
    const at = [...path, "authorize", index];
    checkRule(policy, at);
    for (const [number, rule] of (policy.rules ?? []).entries()) checkRule(rule, [...at, "rules", number]);
  }
}

interface ValueList {
  /** As in `from` and `to`, without its `not`. */
  readonly list: string;
  readonly values: readonly string[];
  readonly at: Path;
}

function listsOf({ from = [], to = [], when = [] }: Terms, path: Path): ValueList[] {
  const grouped = (part: "from" | "to", groups: readonly object[]) =>
    groups.flatMap((group, index) =>
      Object.entries(group as Readonly<Record<string, readonly string[]>>).map(([key, values]) => ({
        list: key.replace(/^not(.)/, (_, first: string) => first.toLowerCase()),
        values,
        at: [...path, part, index, key],
      })),
    );
  const compared = when.flatMap((condition, index) =>
    (["values", "notValues"] as const).map((key) => ({
      list: LISTS_OF_KEYS[condition.key ?? ""] ?? "",
      values: condition[key] ?? [],
      at: [...path, "when", index, key],
    })),
  );
  return [...grouped("from", from), ...grouped("to", to), ...compared];
}

function doubtOf(list: string, value: string, known: KnownIdentities): string | null {
  switch (list) {
    case "principals":
      return known.misspeltPrincipal(value);
    case "trustDomains":
      return parseValue(value).kind === "exact" ? known.misspeltTrustDomain(value) : null;
    case "methods":
      return methodDoubt(value);
    case "hosts":
      return parseValue(value).value.includes("*") ? `${JSON.stringify(value)} has a star that is a star, which no host has` : null;
    case "paths":
      return pathDoubt(value);
    default:
      return null;
  }
}

function methodDoubt(value: string): string | null {
  const meant = METHODS.includes(value) || parseValue(value).kind !== "exact" ? null : nearest(value, METHODS, 1);
  return meant === null ? null : `no method is named ${JSON.stringify(value)} in HTTP; is ${JSON.stringify(meant)} meant?`;
}

function pathDoubt(value: string): string | null {
  const match = parsePath(value);
  if (match.kind === "template") return null;
  const sign = match.value.includes("*") ? "star" : /\/:[A-Za-z_]/.test(match.value) ? "colon" : null;
  if (sign === null) return null;
  const template = templateLike(value);
  const meant = templateProblem(template) === null ? `; is ${JSON.stringify(template)} meant?` : "";
  return `${JSON.stringify(value)} has a ${sign} that is a ${sign}, and takes only paths with one there${meant}`;
}

function templateLike(path: string): string {
  const elements = path.split("/");
  return elements
    .map((element, index) => {
      if (element === "**" || (element === "*" && index === elements.length - 1)) return "{**}";
      return element === "*" || element.startsWith(":") ? "{*}" : element;
    })
    .join("/");
}

/** A request principal is the issuer, a slash and the subject. */
function issuerProblem(value: string, jwt: readonly JwtDocument[], mistakes: Mistakes): string | null {
  const match = parseValue(value);
  const starts = jwt.flatMap(({ issuer }) => (issuer === undefined ? [] : [`${issuer}/`]));
  // One of them may have been refused, and be missing here.
  if (starts.length < jwt.length || (match.kind !== "exact" && match.kind !== "prefix")) return null;
  const fits = starts.some((start) => match.value.startsWith(start) || (match.kind === "prefix" && start.startsWith(match.value)));
  if (fits) return null;
  const meant = mistakes.suggest(match.value.replace(/\/[^/]*$/, ""), () => starts.map((start) => start.slice(0, -1)));
  const expected = starts.map((start) => JSON.stringify(`${start}*`)).join(" or ");
  const suggestion = meant === undefined ? "" : `; is ${JSON.stringify(meant)} meant?`;
  return `${JSON.stringify(value)} never matches: no issuer of \`inbound.jwt\` has such principals, expected what begins as ${expected}${suggestion}`;
}
