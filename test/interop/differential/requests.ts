import type { AttributeCondition, AuthorizationCondition, PathValueMatch, ValueMatch } from "@heddle/core";
import type { Caller, PolicyCase, SentRequest, SentToken, TokenForm } from "./cases.ts";
import type { Draws } from "./draws.ts";
import { spelling } from "./spellings.ts";
import { ISSUERS, invalidToken, type Token, validToken } from "./tokens.ts";
import * as words from "./vocabulary.ts";

const CALLERS = 4;

/** Requests of a few callers, most of them after one of the rules: all but one thing of it, or all. */
export function requestsOf(draws: Draws, policy: PolicyCase, count: number): SentRequest[] {
  const callers = Array.from({ length: CALLERS }, () => caller(draws, aims(draws, policy)));
  return Array.from({ length: count }, (_, index) => request(draws.branch(), policy, callers[index % CALLERS] ?? draws.one(callers)));
}

/** The conditions that hold of one of the rules. */
function aims(draws: Draws, { policies }: PolicyCase): readonly AttributeCondition[] {
  const rules = policies.filter(({ mode }) => mode === "enforce").flatMap((one) => one.rules);
  if (rules.length === 0 || draws.chance(0.1)) return [];
  const { from, to, when } = draws.one(rules);
  const chosen: AuthorizationCondition[] = [...when];
  for (const groups of [from, to]) if (groups.length > 0) chosen.push(...draws.one(groups));
  return chosen.filter((one) => one.kind !== "group" && !one.not && draws.chance(0.9)) as AttributeCondition[];
}

type Kind = AttributeCondition["kind"];
type WithValues = AttributeCondition & { readonly values: readonly PathValueMatch[] };

function aimedAt(aimed: readonly AttributeCondition[], kind: Kind): WithValues | undefined {
  return aimed.find((one) => one.kind === kind && "values" in one) as WithValues | undefined;
}

/** One of the words that a condition takes, where there is one; else any. */
function meeting(draws: Draws, aimed: readonly AttributeCondition[], kind: Kind, all: readonly string[]): string {
  const found = aimedAt(aimed, kind);
  const fit = found === undefined ? [] : all.filter((text) => found.values.some((value) => takes(value, text)));
  return draws.one(fit.length > 0 ? fit : all);
}

/** Roughly: it only steers what is drawn. */
function takes({ kind, value, ...rest }: PathValueMatch, text: string): boolean {
  const [found, wanted] = (rest as Partial<ValueMatch>).ignoreCase ? [text.toLowerCase(), value.toLowerCase()] : [text, value];
  switch (kind) {
    case "exact":
      return found === wanted;
    case "prefix":
      return found.startsWith(wanted);
    case "suffix":
      return found.endsWith(wanted);
    case "contains":
      return found.includes(wanted);
    case "present":
      return true;
    case "regex":
      return !value.startsWith("(?i)") && new RegExp(`^(?:${value})$`).test(text);
    case "template":
      return new RegExp(`^${value.replaceAll("{**}", ".*").replaceAll("{*}", "[^/]+")}$`).test(text);
    default:
      return kind satisfies never;
  }
}

function caller(draws: Draws, aimed: readonly AttributeCondition[]): Caller {
  const ids = words.IDS.filter((id) => fitsIdentity(id, aimed));
  const id = draws.chance(0.05) ? null : draws.one(ids.length > 0 ? ids : words.IDS);
  const sni = draws.chance(0.15) ? "" : meeting(draws, aimed, "sni", words.SERVER_NAMES);
  return { address: draws.one(words.CALLER_ADDRESSES), id, sni };
}

function fitsIdentity(id: string, aimed: readonly AttributeCondition[]): boolean {
  const [, trustDomain = "", namespace = "", account = ""] = /^spiffe:\/\/([^/]+)\/(?:ns\/([^/]+)\/sa\/([^/]+))?/.exec(id) ?? [];
  const texts = { principal: id, "trust-domain": trustDomain, namespace, "service-account": `${namespace}/${account}` } as const;
  return Object.entries(texts).every(([kind, text]) => aimedAt(aimed, kind as Kind)?.values.some((value) => takes(value, text)) ?? true);
}

function request(draws: Draws, policy: PolicyCase, from: Caller): SentRequest {
  const aimed = aims(draws, policy);
  const headers: [string, string][] = [...plainHeaders(draws, aimed), ...forwardedFor(draws)];
  const token = tokenFields(draws, policy, aimed, headers);
  // Envoy takes away what one of its routes sets, also on all others.
  if (draws.chance(0.2) && policy.jwt.some(({ claimHeaders }) => claimHeaders.length > 0)) headers.push(["x-claim-sub", "forged"]);
  return {
    caller: from,
    method: meeting(draws, aimed, "method", words.METHODS),
    path: path(draws, aimed, policy),
    host: host(draws, aimed),
    headers,
    token,
  };
}

function path(draws: Draws, aimed: readonly AttributeCondition[], { pathNormalisation, policies }: PolicyCase): string {
  const plain = meeting(draws, aimed, "path", words.PATHS);
  const query = draws.chance(0.15) ? draws.one(["?a=1", "?q=/../admin", "?x=%2f//", "?"]) : "";
  const isRefused = policies.length === 0 && draws.chance(0.3);
  // What a template takes here and there does not is drawn where one is asked for, as it seldom falls there.
  const isForTemplate = aimedAt(aimed, "path")?.values.some(({ kind }) => kind === "template") === true;
  const element = isForTemplate && draws.chance(0.06) ? plain + draws.one(["|", "[", "^"]) : plain;
  return spelling(draws, isRefused ? `${element}%00` : element, pathNormalisation) + query;
}

function host(draws: Draws, aimed: readonly AttributeCondition[]): string {
  const name = meeting(draws, aimed, "host", words.HOSTS);
  const written = draws.chance(0.2) ? name.toUpperCase() : name;
  return draws.weighted([
    [60, written],
    [1, `${written}:8080`],
    [1, `${written}:80`],
  ]);
}

function plainHeaders(draws: Draws, aimed: readonly AttributeCondition[]): [string, string][] {
  return words.HEADER_NAMES.flatMap((name): [string, string][] => {
    const found = aimed.find((one) => one.kind === "header" && one.name === name);
    if (found === undefined && draws.chance(0.5)) return [];
    const text = meeting(draws, found === undefined ? [] : [found], "header", words.HEADER_TEXTS);
    if (draws.chance(0.06)) return [[name, ""]];
    if (draws.chance(0.06))
      return [
        [name, text],
        [name, draws.one(words.HEADER_TEXTS)],
      ];
    return [[name, text]];
  });
}

function forwardedFor(draws: Draws): [string, string][] {
  if (draws.chance(0.3)) return [];
  const entries = draws.times(1, 4, () =>
    draws.chance(0.04) ? draws.one(["unknown", "10.1.2.3:80", "10.1.2"]) : draws.one(words.FORWARDED_ADDRESSES),
  );
  return [["x-forwarded-for", entries.join(draws.one([",", ", "]))]];
}

const FORMS: readonly (readonly [number, TokenForm])[] = [
  [40, "plain"],
  [1, "other-type"],
  [1, "loose-audience"],
  [6, "number-claim"],
];

const NO_TOKEN: SentToken = { kind: "none", forms: [], claims: null };

/** Where the rules look for tokens, or where they do not. Adds the headers, and says what becomes of the request by them. */
function tokenFields(draws: Draws, { jwt }: PolicyCase, aimed: readonly AttributeCondition[], headers: [string, string][]): SentToken {
  const places = new Map(jwt.map(({ from: [from] }) => [from?.header ?? "", from?.prefix ?? ""]));
  if (places.size === 0) {
    if (draws.chance(0.1)) headers.push(["authorization", "Bearer looked-at-by-nobody"]);
    return NO_TOKEN;
  }
  const wanted = wantedClaims(draws, aimed);
  let worst = NO_TOKEN;
  for (const [header, prefix] of places) {
    if (draws.chance(0.12)) {
      if (header === "authorization" && draws.chance(0.3)) headers.push([header, "Basic amFuZTpzZWNyZXQ="]);
      continue;
    }
    const rules = jwt.filter(({ from }) => from[0]?.header === header);
    const token = tokenFor(draws, rules, wanted);
    headers.push([header, prefix + token.text]);
    const isTaken = token.kind === "valid" && rules.some((rule) => rule.issuer === token.issuer && hasAudience(rule, token.audiences));
    const forms = [...worst.forms, token.form];
    if (!isTaken) worst = { kind: "invalid", forms, claims: null };
    else if (worst.kind === "none") worst = { kind: "valid", forms, claims: token.claims };
    else worst = { ...worst, forms };
  }
  return worst;
}

function tokenFor(draws: Draws, rules: PolicyCase["jwt"], wanted: Readonly<Record<string, unknown>>): Token {
  const issuers = ISSUERS.filter(({ iss }) => rules.some(({ issuer }) => issuer === iss));
  const issuer = draws.chance(0.07) ? draws.one(ISSUERS) : draws.one(issuers.length > 0 ? issuers : ISSUERS);
  if (draws.chance(0.18)) return invalidToken(draws, issuer);
  const rule = rules.find((one) => one.issuer === issuer.iss);
  const meets = rule !== undefined && rule.audiences.length > 0 && draws.chance(0.7) ? { aud: draws.one(rule.audiences) } : {};
  return validToken(draws, issuer, { ...meets, ...wanted }, draws.weighted(FORMS));
}

function hasAudience({ audiences }: PolicyCase["jwt"][number], of: readonly string[]): boolean {
  return audiences.length === 0 || audiences.some((one) => of.includes(one));
}

function wantedClaims(draws: Draws, aimed: readonly AttributeCondition[]): Readonly<Record<string, unknown>> {
  const claims: Record<string, unknown> = {};
  if (aimedAt(aimed, "request-principal")) {
    const fit = words.SUBJECTS.filter((subject) =>
      aimedAt(aimed, "request-principal")?.values.some((value) => ISSUERS.some(({ iss }) => takes(value, `${iss}/${subject}`))),
    );
    claims.sub = draws.one(fit.length > 0 ? fit : words.SUBJECTS);
  }
  if (aimedAt(aimed, "presenter")) claims.azp = meeting(draws, aimed, "presenter", words.PRESENTERS);
  if (aimedAt(aimed, "audience")) claims.aud = [meeting(draws, aimed, "audience", words.AUDIENCES), "reviews"];
  for (const one of aimed) {
    if (one.kind !== "claim") continue;
    const text = meeting(draws, [one], "claim", words.CLAIM_VALUES[one.path.join(".")] ?? []);
    if (one.path[0] === "org") claims.org = { role: text };
    else claims.groups = draws.chance(0.5) ? [text, "other"] : text;
  }
  return claims;
}
