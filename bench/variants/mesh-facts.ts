import { performance } from "node:perf_hooks";
import type { InspectedBackend, Inspection } from "@heddle/core";
import { ROUTE, SERVICE, TOTAL_MS } from "../document.ts";
import type { Fact, ServerCount, ServerCounts } from "../protocol.ts";

/** What must be known of a mesh to check that it did what it was measured for. Only public things. */
export interface MeshUnderTest {
  inspect(): Inspection;
  /** The endpoint that answers `/probe/flaky` with 503. */
  readonly flaky: string;
  /** The measured request. */
  call(): Promise<void>;
  /** How the counters name a good answer. Default: `200`. */
  readonly success?: string;
  /** A request for another path: the answer's status, or the code of the MeshError. */
  probe(path: string): Promise<string>;
}

const BUDGET_RESERVE = 10;
const DEPOSITS = 300;
const FIRST_FLAKY_BATCH = 32;
/** Over sockets, 100 of them are sent at once and 1,000 may wait. */
const LARGEST_FLAKY_BATCH = 1_024;
const MOST_FLAKY_BATCHES = 100;
/** Five in a row at one of three endpoints, whatever the picks. */
const BROKEN_PROBES = 40;

/** Checks from `inspect()` and the servers' own counts that each policy of the set acted. Sends probes once the counts are compared. */
export async function meshFacts(mesh: MeshUnderTest, requests: number, counts: ServerCounts, isTraced: boolean): Promise<readonly Fact[]> {
  return [
    countersFact(mesh.inspect(), requests, mesh.success ?? "200"),
    ...endpointFacts(backendOf(mesh), counts),
    tracingFact(Object.values(counts), isTraced),
    await budgetFact(mesh),
    await retryFact(mesh),
    await outlierFact(mesh),
    await deadlineFact(mesh),
    inFlightFact(backendOf(mesh)),
  ];
}

function backendOf(mesh: MeshUnderTest): InspectedBackend {
  const backend = mesh.inspect().backends.find(({ name }) => name === SERVICE);
  if (!backend) throw new Error(`inspect() knows no backend ${SERVICE}`);
  return backend;
}

function countersFact({ counters }: Inspection, requests: number, success: string): Fact {
  const ours = counters.filter(({ direction, service }) => direction === "outbound" && service === SERVICE);
  const good = ours.filter(({ route, outcome }) => route === ROUTE && outcome === success).reduce((sum, { count }) => sum + count, 0);
  const all = ours.reduce((sum, { count }) => sum + count, 0);
  return {
    name: "metrics: every request was counted once, on its route, as answered",
    holds: good === requests && all === requests,
    seen: `${requests} requests, ${good} counted as ${success} on ${ROUTE}, ${all} in all`,
  };
}

/**
 * One request at each endpoint is enough: a pause of the machine at the first one makes it look a hundred times slower than the rest, and
 * with one request at a time it is then left alone for longer than a short run takes.
 */
function endpointFacts({ balancer, endpoints }: InspectedBackend, counts: ServerCounts): readonly Fact[] {
  const seen = endpoints.map(({ address, requests, latencyMs }) => {
    return `${address} ${requests} (server: ${counts[address]?.requests ?? 0}, ${latencyMs?.toFixed(3)} ms)`;
  });
  return [
    {
      name: "peak-ewma: every endpoint took its part, and its latency is known",
      holds:
        balancer.includes("peak-ewma") &&
        endpoints.length === 3 &&
        endpoints.every((endpoint) => endpoint.requests > 0 && (endpoint.latencyMs ?? 0) > 0),
      seen: `${balancer}: ${seen.join(", ")}`,
    },
    {
      name: "the endpoints' counts are the servers' counts",
      holds: endpoints.every((endpoint) => endpoint.requests === counts[endpoint.address]?.requests),
      seen: seen.join(", "),
    },
  ];
}

function tracingFact(counts: readonly ServerCount[], isTraced: boolean): Fact {
  const all = counts.reduce((sum, { requests }) => sum + requests, 0);
  const unsampled = counts.reduce((sum, count) => sum + count.unsampled, 0);
  return {
    name: isTraced
      ? "tracing: every request carried an unsampled trace context"
      : "tracing: without an SDK, no request carried a trace context",
    holds: unsampled === (isTraced ? all : 0),
    seen: `${unsampled} of ${all}`,
  };
}

async function budgetFact(mesh: MeshUnderTest): Promise<Fact> {
  for (let call = 0; call < DEPOSITS; call++) await mesh.call();
  const { available } = backendOf(mesh).retryBudget;
  return {
    name: "retry budget: requests pay in",
    holds: available > BUDGET_RESERVE,
    seen: `${available} above a reserve of ${BUDGET_RESERVE}`,
  };
}

/**
 * One endpoint answers `/probe/flaky` with 503: nobody must see that. Probes are made many at once, and twice as many each time, since the
 * slowest of three endpoints is not picked before the others have so much in flight that they seem slower.
 */
async function retryFact(mesh: MeshUnderTest): Promise<Fact> {
  const outcomes: string[] = [];
  const failures = (): number => backendOf(mesh).endpoints.find(({ address }) => address === mesh.flaky)?.failures ?? 0;
  let probes = FIRST_FLAKY_BATCH;
  for (let batch = 0; batch < MOST_FLAKY_BATCHES && failures() === 0; batch++) {
    outcomes.push(...(await Promise.all(Array.from({ length: probes }, () => mesh.probe("/probe/flaky")))));
    probes = Math.min(2 * probes, LARGEST_FLAKY_BATCH);
  }
  const good = outcomes.filter((outcome) => outcome === "200").length;
  return {
    name: "retry: an endpoint that answers 503 is not noticed",
    holds: good === outcomes.length && failures() > 0,
    seen: `${good} of ${outcomes.length} probes answered 200, ${failures()} failures at the endpoint`,
  };
}

/** Every endpoint answers `/probe/broken` with 500: one must be ejected, and no second one, which would be more than half of three. */
async function outlierFact(mesh: MeshUnderTest): Promise<Fact> {
  for (let probe = 0; probe < BROKEN_PROBES; probe++) await mesh.probe("/probe/broken");
  const { endpoints } = backendOf(mesh);
  const ejected = endpoints.filter(({ state, ejections }) => state === "ejected" && ejections === 1);
  return {
    name: "outlier detection: of endpoints that all fail, one is ejected",
    holds: ejected.length === 1,
    seen: endpoints.map(({ address, state, failures }) => `${address} ${state}, ${failures} failures`).join("; "),
  };
}

async function deadlineFact(mesh: MeshUnderTest): Promise<Fact> {
  const startedAt = performance.now();
  const outcome = await mesh.probe("/probe/hang");
  const elapsedMs = Math.round(performance.now() - startedAt);
  return {
    name: "deadline: an endpoint that never answers is given up in time",
    holds: outcome === "deadline_exceeded" && elapsedMs >= TOTAL_MS - 50 && elapsedMs < TOTAL_MS + 1_000,
    seen: `${outcome} after ${elapsedMs} ms`,
  };
}

function inFlightFact({ inFlight, pending, endpoints }: InspectedBackend): Fact {
  const atEndpoints = endpoints.reduce((sum, endpoint) => sum + endpoint.inFlight, 0);
  return {
    name: "nothing is left in flight",
    holds: inFlight === 0 && pending === 0 && atEndpoints === 0,
    seen: `${inFlight} in flight, ${pending} pending, ${atEndpoints} at endpoints`,
  };
}
