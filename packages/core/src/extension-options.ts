import type { Layer, UserLayer } from "./layer.ts";
import type { MeshRequest } from "./message.ts";
import type { Random } from "./random.ts";

/** Makes a layer from what a document says under `with`; `{}` where it says nothing. Called once for the same settings. */
export type LayerFactory = (settings: unknown) => Layer;

/** What a balancer or an endpoint filter of the application's own sees of an endpoint, as it is now. */
export interface Candidate {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 1 to 65535; relative to the others. */
  readonly weight: number;
  /** Requests of this process to it. */
  readonly inFlight: number;
  /** Until the response head, smoothed; null before the first answer, and where the balancer in force measures nothing. */
  readonly latencyMs: number | null;
}

/** Which of these endpoints a try may go to. Asked before each try; the array and what is in it belong to the mesh. */
export type EndpointFilter = (request: MeshRequest, endpoints: readonly Candidate[]) => readonly Candidate[];

/** A balancer of the application's own. It never waits. One is made for each service and subset. */
export interface CustomBalancer {
  /**
   * One of `candidates`, of which there is at least one; the same array as before if nothing changed. `tried` are the addresses that
   * the request has been sent to. Where it throws or picks something else, the endpoint is picked at random, and that is reported once.
   */
  pick(candidates: readonly Candidate[], tried: readonly string[]): Candidate;
  /** An answer that is no failure. `elapsedMs` until its head. */
  succeeded?(candidate: Candidate, elapsedMs: number): void;
  failed?(candidate: Candidate): void;
}

export type BalancerFactory = (random: Random) => CustomBalancer;

/** A policy of cockatiel, or anything with this method. */
export interface ExecutePolicy {
  execute<T>(run: (context: { readonly signal: AbortSignal }) => PromiseLike<T> | T, signal?: AbortSignal): Promise<unknown>;
}

/** A breaker of opossum around `(call) => call()`. */
export interface FireBreaker {
  fire(...call: unknown[]): Promise<unknown>;
}

export type NamedPolicy = ExecutePolicy | FireBreaker;

/** What the code of an application gives the mesh: a document refers to it by name. */
export interface ExtensionOptions {
  /** Layers for every service, outermost first. Default: none. */
  readonly layers?: readonly UserLayer[] | undefined;
  /** Layers that a document takes with `services.<name>.layers`. */
  readonly namedLayers?: Readonly<Record<string, LayerFactory>> | undefined;
  /** By service: which of its endpoints a try may go to. */
  readonly endpointFilters?: Readonly<Record<string, EndpointFilter>> | undefined;
  /** Balancers that a document takes with `balancer: { policy: "custom:<name>" }`. */
  readonly balancers?: Readonly<Record<string, BalancerFactory>> | undefined;
  /** Policies of cockatiel and breakers of opossum that a document takes with `policy: <name>`. */
  readonly namedPolicies?: Readonly<Record<string, NamedPolicy>> | undefined;
}

/** Their names, for whoever takes them among other options. */
export const EXTENSION_OPTIONS: readonly ["layers", "namedLayers", "endpointFilters", "balancers", "namedPolicies"] = [
  "layers",
  "namedLayers",
  "endpointFilters",
  "balancers",
  "namedPolicies",
];

const PLACES: readonly string[] = ["request", "attempt", "inbound"];

/** Throws TypeError for what could not be called. */
export function assertExtensions(options: ExtensionOptions): void {
  for (const { at, layer } of options.layers ?? []) {
    if (!PLACES.includes(at)) throw new TypeError(`layers: at must be one of ${PLACES.join(", ")}, not ${JSON.stringify(at)}`);
    if (typeof layer !== "function")
      throw new TypeError(`layers: layer must be a function (next) => (request) => reply, not ${typeof layer}`);
  }
  assertFunctions("namedLayers", options.namedLayers, "(settings) => layer");
  assertFunctions("endpointFilters", options.endpointFilters, "(request, endpoints) => endpoints");
  assertFunctions("balancers", options.balancers, "(random) => balancer");
  for (const [name, policy] of Object.entries(options.namedPolicies ?? {})) {
    if (!isExecutePolicy(policy) && !isFireBreaker(policy))
      throw new TypeError(`namedPolicies: ${name} must have execute(run), as cockatiel's policies, or fire(), as opossum's breakers`);
  }
}

function assertFunctions(option: string, given: Readonly<Record<string, unknown>> | undefined, shape: string): void {
  for (const [name, value] of Object.entries(given ?? {}))
    if (typeof value !== "function") throw new TypeError(`${option}: ${name} must be a function ${shape}, not ${typeof value}`);
}

export function isExecutePolicy(policy: unknown): policy is ExecutePolicy {
  return typeof policy === "object" && policy !== null && typeof (policy as Partial<ExecutePolicy>).execute === "function";
}

export function isFireBreaker(policy: unknown): policy is FireBreaker {
  return typeof policy === "object" && policy !== null && typeof (policy as Partial<FireBreaker>).fire === "function";
}
