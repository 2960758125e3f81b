import type { AttributeCondition, AuthorizationCondition, ConditionGroup } from "../model/authorization.ts";
import { type AttributeReader, readerOf } from "./attributes.ts";
import type { Identity, RequestFacts } from "./facts.ts";
import { formatValue } from "./terms/value-forms.ts";
import { NO, not, type Ternary, UNDECIDED, YES } from "./ternary.ts";

export type CompiledGroup = readonly CompiledCondition[];

export interface CompiledCondition {
  readonly definition: AuthorizationCondition;
  /** How reports and `explain` say it. */
  readonly why: string;
  test(facts: RequestFacts): Ternary;
  /** Why {@link test} cannot tell. */
  readonly undecided: string;
  readonly identity: Identity | null;
  /** Of a group condition; else none. */
  readonly groups: readonly CompiledGroup[];
}

/** How {@link anyOf} asks each condition. */
export type Ask = (condition: CompiledCondition, facts: RequestFacts) => Ternary;

export function compileGroup(group: ConditionGroup): CompiledGroup {
  return group.map(compileCondition);
}

function compileCondition(definition: AuthorizationCondition): CompiledCondition {
  if (definition.kind !== "group") return attributeCondition(definition, readerOf(definition));
  const groups = definition.groups.map(compileGroup);
  const inverted = definition.not;
  return {
    definition,
    why: `${inverted ? "not " : ""}(${groups.map((group) => group.map(({ why }) => why).join(" and ") || "anything").join(" or ")})`,
    test: (facts) => (inverted ? not(anyOf(groups, facts)) : anyOf(groups, facts)),
    undecided: "one of its conditions is undecidable",
    identity: null,
    groups,
  };
}

function attributeCondition(definition: AttributeCondition, reader: AttributeReader): CompiledCondition {
  const { test: positive, undecided, identity } = reader;
  return {
    definition,
    why: describe(definition),
    test: definition.not ? (facts) => not(positive(facts)) : positive,
    undecided,
    identity,
    groups: [],
  };
}

/** One of the groups holds; none of no groups. */
export function anyOf(groups: readonly CompiledGroup[], facts: RequestFacts, ask?: Ask): Ternary {
  let most: Ternary = NO;
  for (const group of groups) {
    const held = allOf(group, facts, ask);
    if (held === YES) return YES;
    if (held > most) most = held;
  }
  return most;
}

/** All of the group hold; all of none. */
export function allOf(group: CompiledGroup, facts: RequestFacts, ask?: Ask): Ternary {
  let least: Ternary = YES;
  for (const condition of group) {
    const held = ask === undefined ? condition.test(facts) : ask(condition, facts);
    if (held === NO) return NO;
    if (held < least) least = held;
  }
  return least;
}

/** As if nobody knew who is calling where the request does not say: then even that it does not say decides nothing. */
export function askWhoever(condition: CompiledCondition, facts: RequestFacts): Ternary {
  const { definition, identity } = condition;
  if (definition.kind === "group") {
    const held = anyOf(condition.groups, facts, askWhoever);
    return definition.not ? not(held) : held;
  }
  return identity !== null && facts[identity] === null ? UNDECIDED : condition.test(facts);
}

export function identitiesIn(groups: readonly CompiledGroup[]): readonly Identity[] {
  const all = groups.flat().flatMap(({ identity, groups: inner }) => (identity === null ? identitiesIn(inner) : [identity]));
  return [...new Set(all)].sort();
}

function describe(condition: AttributeCondition): string {
  const values =
    "blocks" in condition
      ? condition.blocks
      : "ranges" in condition
        ? condition.ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
        : condition.values.map(formatValue);
  return `${nameOf(condition)} ${condition.not ? "not " : ""}in ${values.join(", ")}`;
}

function nameOf(condition: AttributeCondition): string {
  if (condition.kind === "header") return `header ${condition.name}`;
  if (condition.kind === "claim") return `claim ${condition.path.join(".")}`;
  return condition.kind.replaceAll("-", " ");
}
