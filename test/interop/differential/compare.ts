import { isDeepStrictEqual } from "node:util";
import type { Compared, PolicyCase, SentRequest } from "./cases.ts";
import { Coverage } from "./coverage.ts";
import { Draws } from "./draws.ts";
import { EXCLUSIONS, type ExclusionName } from "./exclusions.ts";
import { policyCases } from "./policies.ts";
import { requestsOf } from "./requests.ts";
import { type Answers, World } from "./world.ts";

export interface ComparisonOptions {
  readonly seed: number;
  readonly policies: number;
  /** Of each policy. */
  readonly requests: number;
  /** Ends with the first difference. Default: false. */
  readonly endsEarly?: boolean;
}

export interface Difference extends Compared, Answers {}

/** How often an exclusion applied, and how often the answers differed where it alone did. */
export interface ExclusionHits {
  applied: number;
  differed: number;
}

export interface Comparison {
  readonly cases: number;
  /** Of those, where an exclusion applied. */
  readonly excluded: number;
  /** That nobody meant. */
  readonly differences: readonly Difference[];
  readonly exclusions: Readonly<Record<ExclusionName, ExclusionHits>>;
  readonly coverage: Coverage;
}

/** So many are told. */
const MOST_DIFFERENCES = 5;

/** Asks a real Envoy and a mesh of ours the same, under the same rules. */
export async function compare({ seed, policies, requests, endsEarly = false }: ComparisonOptions): Promise<Comparison> {
  const draws = new Draws(seed);
  const fromPolicies = draws.branch();
  let cases: readonly PolicyCase[] = [];
  await using world = await World.open((lanes) => {
    cases = policyCases(fromPolicies, lanes, policies);
    return cases;
  });
  const run = new Run(endsEarly);
  const drawn = cases.map((policy) => ({ policy, requests: requestsOf(draws.branch(), policy, requests) }));
  const lanes = Map.groupBy(drawn, ({ policy }) => `${policy.pathNormalisation} ${policy.trustedHops}`);
  await Promise.all(
    [...lanes.values()].map(async (lane) => {
      for (const one of lane) await run.ask(world, one.policy, one.requests);
    }),
  );
  return run;
}

class Run implements Comparison {
  cases = 0;
  excluded = 0;
  readonly differences: Difference[] = [];
  readonly exclusions: Readonly<Record<ExclusionName, ExclusionHits>>;
  readonly coverage: Coverage = new Coverage();
  readonly #endsEarly: boolean;

  constructor(endsEarly: boolean) {
    this.#endsEarly = endsEarly;
    const hits = EXCLUSIONS.map(({ name }) => [name, { applied: 0, differed: 0 }] as const);
    this.exclusions = Object.fromEntries(hits) as Record<ExclusionName, ExclusionHits>;
  }

  get #isOver(): boolean {
    return this.differences.length >= (this.#endsEarly ? 1 : MOST_DIFFERENCES);
  }

  async ask(world: World, policy: PolicyCase, requests: readonly SentRequest[]): Promise<void> {
    if (this.#isOver) return;
    using asking = world.under(policy);
    const callers = Map.groupBy(requests, ({ caller }) => JSON.stringify(caller));
    await Promise.all(
      [...callers.values()].map(async (calls) => {
        for (const request of calls) {
          if (this.#isOver) return;
          this.#judge({ policy, request }, await asking.ask(request));
        }
      }),
    );
  }

  #judge(compared: Compared, answers: Answers): void {
    this.cases++;
    this.coverage.count(compared, answers);
    const isSame = isDeepStrictEqual(answers.ours, answers.envoy);
    const applying = EXCLUSIONS.filter((one) => one.applies(compared));
    const [only] = applying;
    if (only === undefined) {
      if (!isSame) this.differences.push({ ...compared, ...answers });
      return;
    }
    this.excluded++;
    for (const { name } of applying) this.exclusions[name].applied++;
    if (applying.length === 1 && !isSame) this.exclusions[only.name].differed++;
    const opens = answers.ours.decision === "allowed" && answers.envoy.decision !== "allowed";
    if (opens && applying.every(({ isStricter }) => isStricter)) this.differences.push({ ...compared, ...answers });
  }
}

/** For people, and to repeat it. */
export function told({ policy, request, ours, envoy }: Difference): string {
  const { caller, method, path, host, headers, token } = request;
  const rules = policy.policies.map(({ name, action, mode, rules: of }) => ({ name, action, mode, rules: of }));
  const jwt = policy.jwt.map(({ jwks: _, ...rest }) => rest);
  return [
    `${policy.name}: ours ${JSON.stringify(ours)}`,
    `  Envoy ${JSON.stringify(envoy)}`,
    `  asked for ${method} ${path} of ${host} by ${JSON.stringify(caller)} with ${JSON.stringify(headers)}`,
    `  whose token is ${JSON.stringify(token)}`,
    `  under paths ${policy.pathNormalisation}, ${policy.trustedHops} trusted hops, policies ${JSON.stringify(rules)}, tokens ${JSON.stringify(jwt)}`,
  ].join("\n");
}
