import type {
  AttributeCondition,
  AuthorizationCondition,
  AuthorizationPolicy,
  ConditionGroup,
  PathNormalisation,
  PathValueMatch,
} from "../../model/authorization.ts";
import { compileRegex } from "../../pattern.ts";
import { impossibleValue } from "./impossible-value.ts";
import { ipBlockProblem } from "./ip-block.ts";
import { normalisePath } from "./normalise-path.ts";
import { templateProblem } from "./path-template.ts";
import { formatValue } from "./value-forms.ts";

export interface AuthorizationProblem {
  /** Names of policy and rule, and the condition. */
  readonly at: string;
  readonly message: string;
}

export interface LocatedAuthorizationProblem extends AuthorizationProblem {
  /** Of the policy. */
  readonly origin: string;
}

/** All that is wrong. What can never match is wrong too: in a deny rule it would let through what it was written to stop. */
export function authorizationProblems(policies: readonly AuthorizationPolicy[], setting: PathNormalisation): LocatedAuthorizationProblem[] {
  const names = new Set<string>();
  return policies.flatMap(({ name, rules, origin }) => {
    const problems: AuthorizationProblem[] = [];
    if (name === "") problems.push({ at: "a policy", message: "must have a name" });
    if (names.has(name)) problems.push({ at: name, message: "two policies have this name" });
    names.add(name);
    for (const rule of rules) {
      const at = `${name}: rule ${rule.name}`;
      rule.from.forEach((group, index) => {
        problems.push(...groupProblems(group, `${at}: from ${index}`, setting), ...exclusions(group, `${at}: from ${index}`));
      });
      rule.to.forEach((group, index) => {
        problems.push(...groupProblems(group, `${at}: to ${index}`, setting));
      });
      problems.push(...groupProblems(rule.when, `${at}: when`, setting));
    }
    return problems.map((problem) => ({ ...problem, origin }));
  });
}

/** A service account says all that the others say. */
function exclusions(group: ConditionGroup, at: string): AuthorizationProblem[] {
  const kinds = new Set(group.map(({ kind }) => kind));
  if (!kinds.has("service-account")) return [];
  const beside = (["principal", "namespace"] as const).filter((kind) => kinds.has(kind));
  return beside.map((kind) => ({ at, message: `names service accounts, and a ${kind} beside them; only one of the two may be given` }));
}

function groupProblems(group: ConditionGroup, at: string, setting: PathNormalisation): AuthorizationProblem[] {
  return group.flatMap((condition) => {
    if (condition.kind !== "group")
      return attributeProblems(condition, setting).map((message) => ({ at: `${at}: ${condition.kind}`, message }));
    if (condition.groups.length === 0) return [{ at, message: "one of no groups never matches" }];
    return condition.groups.flatMap((inner) => groupProblems(inner, at, setting));
  });
}

function attributeProblems(condition: AttributeCondition, setting: PathNormalisation): string[] {
  if (countOf(condition) === 0) return ["one of no values never matches"];
  switch (condition.kind) {
    case "peer-ip":
    case "client-ip":
    case "local-ip":
      return condition.blocks.map(ipBlockProblem).filter((problem) => problem !== null);
    case "port":
      return condition.ranges
        .filter(({ from, to }) => !(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to <= 65535 && from <= to))
        .map(({ from, to }) => `${from} to ${to} must be ports from 0 to 65535 in ascending order`);
    case "path":
      return condition.values.flatMap((value) => pathProblems(value, setting));
    case "header":
      return [...headerNameProblems(condition.name), ...condition.values.flatMap(textProblems)];
    case "claim":
      return [...(condition.path.length === 0 ? ["must name a claim"] : []), ...condition.values.flatMap(textProblems)];
    case "service-account":
      return condition.values.flatMap(accountProblems);
    default:
      return condition.values.flatMap((value) => {
        const written = textProblems(value);
        return written.length > 0 ? written : [impossibleValue(condition.kind, value)].filter((problem) => problem !== null);
      });
  }
}

function countOf(condition: Exclude<AuthorizationCondition, { kind: "group" }>): number {
  if ("blocks" in condition) return condition.blocks.length;
  return "ranges" in condition ? condition.ranges.length : condition.values.length;
}

function textProblems(match: PathValueMatch): string[] {
  if (match.kind === "present") return [];
  if (match.value === "") return [`an empty ${match.kind} is not compared; "*" is what is not empty`];
  return match.kind === "regex" ? regexProblems(match.value) : [];
}

function regexProblems(pattern: string): string[] {
  try {
    compileRegex(pattern);
    return [];
  } catch (error) {
    return [`${JSON.stringify(pattern)} must be an expression of RE2: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function headerNameProblems(name: string): string[] {
  if (name.startsWith(":")) return [`${name} is no header here; host, method and path have conditions of their own`];
  return /^[a-z0-9!#$%&'*+\-.^_`|~]+$/.test(name) ? [] : [`${JSON.stringify(name)} must be the name of a header in lower case`];
}

function accountProblems(match: PathValueMatch): string[] {
  if (match.kind === "exact" && /^[^/*]+\/[^/*]+$/.test(match.value)) return [];
  return [`${formatValue(match)} must be namespace/account, without a star`];
}

/** A value that no normalised path has never matches. */
function pathProblems(match: PathValueMatch, setting: PathNormalisation): string[] {
  const written = textProblems(match);
  if (written.length > 0 || match.kind === "present" || match.kind === "regex" || match.kind === "contains") return written;
  if (match.kind === "template") {
    const problem = templateProblem(match.value);
    if (problem !== null) return [`${formatValue(match)} ${problem}`];
  }
  if (match.kind !== "suffix" && !match.value.startsWith("/") && match.value !== "*") {
    return [`${formatValue(match)} never matches: paths begin with a slash`];
  }
  const example = exampleOf(match);
  const normal = normalisePath(example, setting);
  if (normal.kind === "unchanged" && normal.pathname === example) return [];
  const reads =
    normal.kind === "refused" ? `such a path is refused (${normal.why})` : `such a path reads ${JSON.stringify(normal.pathname)}`;
  const meant = /\{[^{}*/]+\}/.test(match.value) ? "; one element of any name is written {*}" : "";
  return [`${formatValue(match)} never matches with the path normalisation ${setting}: ${reads}${meant}`];
}

/** A path that the value takes. What may stand before or behind it is chosen so that it makes no difference. */
function exampleOf({ kind, value }: PathValueMatch): string {
  if (kind === "template") return value.replaceAll(/\{\*{1,2}\}/g, "x");
  if (kind === "prefix") return `${value}${value.endsWith("%") ? "2F" : /%[0-9A-F]$/.test(value) ? "F" : "x"}`;
  if (kind === "suffix") return `/x${value}`;
  return value;
}
