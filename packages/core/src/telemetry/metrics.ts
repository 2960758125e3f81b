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
  /** Of the last try; empty where none was reached, and inbound. `gone`: those that left the configuration, where room was needed. */
  readonly endpoint: string;
  /** `200`, `grpc:ok` for a gRPC call, `ok` for a resource, or a MeshError code, `cancelled` (by the caller), or `failed`. */
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
/** So many are kept whatever happens to what they count: what comes back goes on counting where it left off. */
const KEPT_CELLS = MAX_CELLS / 2;
/** Stands for the endpoints of a route that are no more. */
const GONE = "gone";

/** What the configuration in force has. */
export interface Present {
  hasService(name: string): boolean;
  hasEndpoint(address: string): boolean;
}

export interface Metrics {
  /** Counts each request when it is over. One for all requests of a direction. */
  layer(direction: Direction): Layer;
  /**
   * Called when the configuration changed. Where half of the room is in use, requests out to endpoints that are gone are added up as
   * those of `gone`, and those of services that are gone as `other`: no sum changes, and what comes has room.
   */
  fold(present: Present): void;
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
  const used = () => Object.values(tables).reduce((sum, { cells }) => sum + cells.length, 0);
  const hasRoom = () => used() < MAX_CELLS;
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
    fold(present) {
      if (used() >= KEPT_CELLS) tables.outbound.fold(present);
    },
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
  cells: Cell[] = [];
  readonly other: Cell;
  readonly #direction: Direction;
  readonly #services = new Map<string, Map<string, RouteCells>>();
  #latencies: Latency[] = [];

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

  fold(present: Present): void {
    for (const [service, routes] of this.#services) {
      const isGone = !present.hasService(service);
      if (isGone) this.#services.delete(service);
      for (const route of routes.values()) {
        if (isGone) addRoute(this.other, route);
        else foldEndpoints(route, present);
      }
    }
    const routes = Array.from(this.#services.values(), (byName) => [...byName.values()]).flat();
    this.#latencies = routes.map(({ latency }) => latency);
    this.cells = routes.flatMap(cellsOf);
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

function cellsOf({ endpoints }: RouteCells): Cell[] {
  return Array.from(endpoints.values(), (outcomes) => [...outcomes.values()]).flat();
}

function addCell(to: Cell, { count, attempts }: Cell): void {
  to.count += count;
  to.attempts += attempts;
}

function addRoute(to: Cell, route: RouteCells): void {
  for (const cell of cellsOf(route)) addCell(to, cell);
  to.latency.sumMs += route.latency.sumMs;
  for (const [bucket, count] of route.latency.buckets.entries())
    to.latency.buckets[bucket] = (to.latency.buckets[bucket] as number) + count;
}

function foldEndpoints({ latency, endpoints }: RouteCells, present: Present): void {
  for (const [endpoint, outcomes] of endpoints) {
    if (endpoint === "" || endpoint === GONE || present.hasEndpoint(endpoint)) continue;
    endpoints.delete(endpoint);
    const gone = getOrAdd(endpoints, GONE, () => new Map<Outcome, Cell>());
    for (const [outcome, cell] of outcomes) {
      addCell(
        getOrAdd(gone, outcome, () => newCell(GONE, outcome, latency)),
        cell,
      );
    }
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
