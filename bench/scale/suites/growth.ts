import { compared, type Experiment, type Plan } from "../experiment.ts";
import type { SocketParameters } from "../probes/sockets.ts";
import type { StubParameters } from "../probes/stub.ts";

const PLAN: Plan = { processes: 1, rounds: 20, roundMs: 40, warmUpMs: 500 };
const SOCKET_PLAN: Plan = { processes: 1, rounds: 15, roundMs: 100, warmUpMs: 400 };
/** With the default policy set of `bench/document.ts`. */
const SERVICE = { timeout: "2s", retry: {} };

const SERVICES = [10, 100, 1_000, 10_000];
const ENDPOINTS = [3, 10, 100, 1_000, 10_000, 100_000];
const ROUTES = [1, 10, 100, 1_000, 10_000];
const CONCURRENCY = [1, 4, 16, 64, 256, 1_024];

function experiment(plot: string, series: string, x: number, probe: string, parameters: object): Experiment {
  return {
    suite: "growth",
    group: plot,
    probe,
    parameters,
    figures: [compared(`${series}, ${plot} ${x.toLocaleString("en")}`, "request", "us CPU")],
    point: { plot, series, x },
    plan: probe === "sockets" ? SOCKET_PLAN : PLAN,
    needsServers: probe === "sockets",
    isExtra: !(plot === "endpoints" && x === 1_000),
  };
}

function stub(plot: string, series: string, x: number, parameters: StubParameters): Experiment {
  return experiment(plot, series, x, "stub", { service: SERVICE, ...parameters });
}

function sockets(series: string, x: number, client: SocketParameters["client"]): Experiment {
  const parameters: SocketParameters = { client, concurrency: x };
  return experiment("concurrency-sockets", series, x, "sockets", parameters);
}

export const GROWTH: readonly Experiment[] = [
  ...SERVICES.map((x) => stub("services", "one is called", x, { services: x - 1 })),
  ...SERVICES.map((x) => stub("services", "all are called in turn", x, { services: x - 1, callsAll: true })),
  ...ENDPOINTS.map((x) => stub("endpoints", "peak-EWMA", x, { endpoints: x })),
  ...ROUTES.flatMap((x) =>
    (["prefix", "exact", "regex"] as const).map((last) => experiment("routes", `last: ${last}`, x, "match", { routes: x, last })),
  ),
  ...CONCURRENCY.map((x) => stub("concurrency", "mesh over the stub", x, { concurrency: x })),
  ...CONCURRENCY.map((x) => sockets("mesh.request", x, "mesh")),
  ...CONCURRENCY.map((x) => sockets("undici Pool.request", x, "undici")),
];
