import { authorizationProblems } from "../../authorization/terms/check-policies.ts";
import { parsePort } from "../../authorization/terms/value-forms.ts";
import type { AuthorizeDocument, AuthorizeRuleDocument, InboundDocument } from "../../gen/document.ts";
import type { PathNormalisation } from "../../model/authorization.ts";
import type { KnownIdentities } from "./known-identities.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { DEFAULT_PATH_NORMALISATION, ruleOf } from "./translate-authorize.ts";

type Terms = Pick<AuthorizeRuleDocument, "from" | "to" | "when">;

interface Context {
  readonly setting: PathNormalisation;
  readonly known: KnownIdentities;
  readonly mistakes: Mistakes;
}

/** What would take everything by mistake, and what can never match: in a deny rule, that would let through what it was written to stop. */
export function crossCheckAuthorize(inbound: InboundDocument, path: Path, known: KnownIdentities, mistakes: Mistakes): void {
  const context: Context = { setting: inbound.pathNormalisation ?? DEFAULT_PATH_NORMALISATION, known, mistakes };
  const names = new Map<string, number>();
  for (const [index, policy] of (inbound.authorize ?? []).entries()) {
    const at = [...path, "authorize", index];
    const first = names.get(policy.name);
    if (first !== undefined)
      mistakes.add([...at, "name"], `found ${JSON.stringify(policy.name)}, which is the name of [${first}], expected one of its own`);
    else if (policy.name !== undefined) names.set(policy.name, index);
    checkForm(policy, at, mistakes);
    const rules = policy.rules?.map((rule, number) => ({ rule, at: [...at, "rules", number] })) ?? [{ rule: policy, at }];
    for (const each of rules) checkRule(each.rule, each.at, context);
  }
}

function checkForm(policy: AuthorizeDocument, path: Path, mistakes: Mistakes): void {
  const own = (["from", "to", "when"] as const).filter((key) => policy[key] !== undefined);
  if (policy.rules !== undefined && own.length > 0)
    mistakes.add([...path, own[0] ?? "from"], "stands beside `rules`, expected one or the other: each rule has its own", "key");
  if (policy.rules === undefined && own.length === 0 && !mistakes.hasMistakeIn(path))
    mistakes.add(path, "has neither from, to, when nor rules; `rules: [{}]` takes every request, `rules: []` none");
}

function checkRule(rule: Terms, path: Path, { setting, known, mistakes }: Context): void {
  for (const part of ["from", "to"] as const)
    for (const [index, group] of (rule[part] ?? []).entries()) {
      const at = [...path, part, index];
      const lists = Object.entries(group);
      if (lists.length === 0 && !mistakes.hasMistakeIn(at)) mistakes.add(at, "is empty, and would take everything");
      const isRight = lists.map(([key, values]) =>
        checkValues(
          values,
          [...at, key],
          key.toLowerCase().endsWith("ports")
            ? portProblem
            : (value) => problemOf({ [part]: [{ [key]: [value] }] }, setting, isOfPrincipals(key) ? known.meantBy(value) : ""),
          mistakes,
        ),
      );
      // What each list says can be right, and yet not go together.
      const together = isRight.every(Boolean) ? problemOf({ [part]: [group] }, setting) : null;
      if (together !== null) mistakes.add(at, together);
    }
  for (const [index, { key, values, notValues }] of (rule.when ?? []).entries()) {
    const at = [...path, "when", index];
    if (values === undefined && notValues === undefined && !mistakes.hasMistakeIn(at)) mistakes.add(at, "has neither values nor notValues");
    if (key === undefined) continue;
    const meantBy = (value: string) => (key === "source.principal" ? known.meantBy(value) : "");
    const one =
      key === "destination.port"
        ? portProblem
        : (value: string) => problemOf({ when: [{ key, values: [value] }] }, setting, meantBy(value));
    checkValues(values, [...at, "values"], one, mistakes);
    checkValues(notValues, [...at, "notValues"], one, mistakes);
  }
}

/** Each value of a list by itself, so that a mistake is found in its own line. False if one was found. */
function checkValues(
  values: readonly string[] | undefined,
  path: Path,
  problem: (value: string) => string | null,
  mistakes: Mistakes,
): boolean {
  // Where a value was refused the others have moved up; they are checked once it is mended.
  if (values === undefined || mistakes.hasMistakeIn(path)) return values === undefined;
  let isRight = true;
  for (const [index, value] of values.entries()) {
    const message = problem(value);
    if (message === null) continue;
    mistakes.add([...path, index], message);
    isRight = false;
  }
  return isRight;
}

function isOfPrincipals(key: string): boolean {
  return key === "principals" || key === "notPrincipals";
}

function problemOf(terms: Terms, setting: PathNormalisation, meant = ""): string | null {
  const policy = { name: "policy", action: "allow", mode: "enforce", rules: [ruleOf(terms, "rule")], origin: "" } as const;
  const message = authorizationProblems([policy], setting)[0]?.message;
  return message === undefined ? null : `${message}${meant}`;
}

function portProblem(value: string): string | null {
  return parsePort(value) === null ? `${JSON.stringify(value)} must be a port from 1 to 65535` : null;
}
