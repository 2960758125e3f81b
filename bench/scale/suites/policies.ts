import { compared, type Experiment, type Plan } from "../experiment.ts";
import { SERVICE } from "../probes/generated.ts";
import type { StubParameters } from "../probes/stub.ts";

const PLAN: Plan = { processes: 1, rounds: 25, roundMs: 40, warmUpMs: 500 };

/** What each step adds to the service's document, or to the mesh. Each step has everything of those before it. */
interface Step {
  readonly name: string;
  readonly service?: object;
  readonly route?: object;
  readonly parameters?: StubParameters;
}

const NOTHING = { retry: "off", outlier: "off", balancer: { policy: "random" }, limits: "off" };

const STEPS: readonly Step[] = [
  { name: "no policy: route, random pick, metrics", service: NOTHING },
  { name: "peak-EWMA", service: { balancer: { policy: "peak-ewma" } } },
  { name: "outlier detection", service: { outlier: {} } },
  { name: "deadline", service: { timeout: "5s" } },
  { name: "retry", service: { retry: {} } },
  { name: "timeout of each try", service: { retry: { perTryTimeout: "2s" } } },
  { name: "breaker", service: { breaker: {} } },
  { name: "maxRequests", service: { limits: { maxRequests: 10_000 } } },
  { name: "fault, in none", service: { fault: { abort: { percent: 0, status: 503 } } } },
  { name: "fallback", service: { fallback: { on: ["breaker-open", "no-endpoint"], respond: { status: 200, json: [] } } } },
  { name: "mirror, of none", service: { mirror: { service: "service-0", percent: 0 } } },
  { name: "rewrite", route: { rewrite: { prefix: "/v2" } } },
  {
    name: "headers, one set in each direction",
    route: { headers: { request: { set: { "x-env": "prod" } }, response: { set: { "x-env": "prod" } } } },
  },
  { name: "two layers of the user's own", parameters: { layers: ["request", "attempt"] } },
  { name: "access log, without writing it", parameters: { accessLog: true } },
  { name: "OpenTelemetry, nothing sampled", parameters: { tracing: true } },
];

/** The policies of a step and of all before it, on the one route that is taken. */
function parametersOf(step: number): StubParameters {
  const taken = STEPS.slice(0, step + 1);
  const service: object = Object.assign({}, ...taken.map((one) => one.service ?? {}));
  const rest: StubParameters = Object.assign({}, ...taken.map((one) => one.parameters ?? {}));
  const route = Object.assign(
    { name: "all", match: { path: { prefix: "/api" } }, to: [{ service: SERVICE }] },
    ...taken.map((one) => one.route ?? {}),
  );
  return { ...rest, service: { ...service, routes: [route] }, services: 1 };
}

export const POLICIES: readonly Experiment[] = STEPS.map(({ name }, step) => ({
  suite: "policies",
  group: "policies",
  probe: "stub",
  parameters: parametersOf(step),
  figures: [compared(step === 0 ? name : `+ ${name}`, "request", "us CPU")],
  point: { plot: "policies", series: name, x: step },
  plan: PLAN,
  needsServers: false,
  isExtra: step !== 0 && step !== STEPS.length - 1,
}));
