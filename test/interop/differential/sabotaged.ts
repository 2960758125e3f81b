import { killEnvoys } from "../../../bench/envoy.ts";
import { compare, told } from "./compare.ts";
import { exitOnSignals } from "./exit-on-signals.ts";

// Envoy is in a process group of its own, which neither a terminal nor `timeout` ends.
exitOnSignals();
process.once("exit", killEnvoys);

/** What `sabotage.ts` starts: a comparison that ends with its first difference, which is the last line. Exit code 0 also with one. */
const { cases, differences } = await compare({
  seed: Number(process.env.HEDDLE_DIFF_SEED ?? 1),
  policies: 324,
  requests: 100,
  endsEarly: true,
});
const [first] = differences;
console.log(JSON.stringify({ cases, difference: first === undefined ? null : told(first) }));
