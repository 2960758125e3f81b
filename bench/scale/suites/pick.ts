import { compared, type Experiment, limited, type Plan } from "../experiment.ts";

const PLAN: Plan = { processes: 1, rounds: 25, roundMs: 20, warmUpMs: 150 };
const SIZES = [3, 100, 10_000, 100_000];
const BALANCERS = ["peak-ewma", "least-request", "round-robin", "random"];
/** The default balancer must reach the limits; the others are there to compare. */
const JUDGED = "peak-ewma";
/** Ejecting an endpoint looks at all of them, and so many are enough to be met. */
const MOST_EJECTED = 100;

function experiment(policy: string, endpoints: number, ejected: number): Experiment {
  const name = `${policy}, ${endpoints.toLocaleString("en")} endpoints${ejected > 0 ? `, ${ejected} ejected` : ""}`;
  return {
    suite: "pick",
    group: `${policy}${ejected > 0 ? ", some ejected" : ""}`,
    probe: "pick",
    parameters: { policy, endpoints, ejected },
    figures: [policy === JUDGED ? limited(name, "pick", "us CPU", 0.2, 0.3) : compared(name, "pick", "us CPU")],
    point: null,
    plan: PLAN,
    needsServers: false,
    isExtra: policy !== JUDGED || endpoints === 100 || ejected > 0,
  };
}

function ejectedOf(endpoints: number): number {
  return Math.min(MOST_EJECTED, Math.max(1, Math.floor(endpoints / 10)));
}

export const PICK: readonly Experiment[] = BALANCERS.flatMap((policy) => [
  ...SIZES.map((endpoints) => experiment(policy, endpoints, 0)),
  ...SIZES.map((endpoints) => experiment(policy, endpoints, ejectedOf(endpoints))),
]);
