import type { Clock } from "../clock.ts";
import type { Layer } from "../layer.ts";
import type { MeshRequest, MeshResponse } from "../message.ts";
import { type Direction, type Outcome, outcomeOf, whenOver } from "./exchange.ts";

/** Requests that ended, by where they went and how. */
export interface OutcomeCounts {
  readonly direction: Direction;
  /** Or the resource. */
  readonly service: string;
  readonly route: string;
  /** Of the last try; empty where none was reached, and inbound. */
  readonly endpoint: string;
  /** `200`, `ok` for a resource, or a MeshError code, `cancelled` (by the caller), or `failed`. */
  readonly outcome: string;
  readonly count: number;
  /** Tries that these requests took, together. */
  readonly attempts: number;
}

/** How long the requests of one route took, until the end of the body. */
export interface LatencyCounts {
  readonly direction: Direction;
  readonly service: string;
  readonly route: string;
  readonly sumMs: number;
  /** One count for each of {@link LATENCY_BOUNDS_MS} (up to and including it), and one for what took longer. */
  readonly buckets: readonly number[];
}

/** Upper bounds of the latency buckets: those of OpenTelemetry's `http.client.request.duration`. */
export const LATENCY_BOUNDS_MS: readonly number[] = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

/** Most combinations that are counted apart. What comes after them is counted as `other`. */
export const MAX_CELLS: number = 10_000;

export interface Metrics {
  /** Counts each request when it is over. One for all requests of a direction. */
  layer(direction: Direction): Layer;
  counts(): OutcomeCounts[];
  latencies(): LatencyCounts[];
}

interface Latency {
  readonly direction: Direction;
  readonly service: string;
  readonly route: string;
  sumMs: number;
  readonly buckets: Float64Array;
}

interface Cell {
  readonly endpoint: string;
  readonly outcome: Outcome;
  readonly latency: Latency;
  count: number;
  attempts: number;
}

/** Of one route: its latency, and a cell for each endpoint and outcome. */
interface RouteCells {
  readonly latency: Latency;
  readonly endpoints: Map<string, Map<Outcome, Cell>>;
}

/** Plain counters, made to cost four map look-ups a request. `warn` is told once if they are full. */
export function createMetrics(clock: Clock, warn: (message: string) => void): Metrics {
  const tables = { outbound: new CellTable("outbound"), inbound: new CellTable("inbound"), resource: new CellTable("resource") };
  const hasRoom = () => Object.values(tables).reduce((sum, { cells }) => sum + cells.length, 0) < MAX_CELLS;
  let warned = false;
  const count = (direction: Direction, request: MeshRequest, response: MeshResponse | null, failure: unknown) => {
    const { context } = request;
    const { attempts } = context;
    const endpoint = attempts[attempts.length - 1]?.endpoint ?? "";
    const table = tables[direction];
    const cell = table.cell(context.service, context.route, endpoint, outcomeOf(direction, request, response, failure), hasRoom);
    if (cell === table.other && !warned) {
      warned = true;
      warn(
        `request counters: ${MAX_CELLS} combinations of service, route, endpoint and outcome are in use; new ones are counted as "other"`,
      );
    }
    cell.count++;
    cell.attempts += attempts.length;
    record(cell.latency, clock.now() - context.startedAt);
  };
  return {
    layer: (direction) => (next) => (request) =>
      whenOver(next(request), (response, failure) => count(direction, request, response, failure)),
    counts: () => Object.values(tables).flatMap((table) => table.counts()),
    latencies: () => Object.values(tables).flatMap((table) => table.latencies()),
  };
}

function record(latency: Latency, elapsedMs: number): void {
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS_MS.length && elapsedMs > (LATENCY_BOUNDS_MS[bucket] as number)) bucket++;
  latency.buckets[bucket] = (latency.buckets[bucket] as number) + 1;
  latency.sumMs += elapsedMs;
}

class CellTable {
  readonly cells: Cell[] = [];
  readonly other: Cell;
  readonly #direction: Direction;
  readonly #services = new Map<string, Map<string, RouteCells>>();
  readonly #latencies: Latency[] = [];

  constructor(direction: Direction) {
    this.#direction = direction;
    this.other = newCell("other", "other", newLatency(direction, "other", "other"));
  }

  /** Nested maps rather than one joined key: nothing is allocated for a combination that is known. */
  cell(service: string, route: string, endpoint: string, outcome: Outcome, hasRoom: () => boolean): Cell {
    const known = this.#services.get(service)?.get(route)?.endpoints.get(endpoint)?.get(outcome);
    if (known) return known;
    return hasRoom() ? this.#add(service, route, endpoint, outcome) : this.other;
  }

  counts(): OutcomeCounts[] {
    return (this.other.count > 0 ? [...this.cells, this.other] : this.cells).map((cell) => ({
      direction: this.#direction,
      service: cell.latency.service,
      route: cell.latency.route,
      endpoint: cell.endpoint,
      outcome: String(cell.outcome),
      count: cell.count,
      attempts: cell.attempts,
    }));
  }

  latencies(): LatencyCounts[] {
    const all = this.other.count > 0 ? [...this.#latencies, this.other.latency] : this.#latencies;
    return all.map((latency) => ({ ...latency, buckets: [...latency.buckets] }));
  }

  #add(service: string, route: string, endpoint: string, outcome: Outcome): Cell {
    const routes = getOrAdd(this.#services, service, () => new Map<string, RouteCells>());
    const { latency, endpoints } = getOrAdd(routes, route, () => this.#addRoute(service, route));
    const outcomes = getOrAdd(endpoints, endpoint, () => new Map<Outcome, Cell>());
    const cell = newCell(endpoint, outcome, latency);
    outcomes.set(outcome, cell);
    this.cells.push(cell);
    return cell;
  }

  #addRoute(service: string, route: string): RouteCells {
    const latency = newLatency(this.#direction, service, route);
    this.#latencies.push(latency);
    return { latency, endpoints: new Map() };
  }
}

function newCell(endpoint: string, outcome: Outcome, latency: Latency): Cell {
  return { endpoint, outcome, latency, count: 0, attempts: 0 };
}

function newLatency(direction: Direction, service: string, route: string): Latency {
  return { direction, service, route, sumMs: 0, buckets: new Float64Array(LATENCY_BOUNDS_MS.length + 1) };
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
