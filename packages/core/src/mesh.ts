import { bypassed } from "./bypass.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { RequestContext } from "./context.ts";
import { Problems, writeProblem } from "./control/problems.ts";
import { nodeResolve } from "./control/resolve.ts";
import { SnapshotStore } from "./control/snapshot-store.ts";
import { WatchedSources } from "./control/watched-sources.ts";
import { DataPlane, presentIn } from "./data-plane.ts";
import { Deadlines } from "./deadlines.ts";
import { type Duration, durationMs } from "./duration.ts";
import { Channels } from "./endpoint/channels.ts";
import { MeshError } from "./errors.ts";
import { type ExplainRequest, type Explanation, explainRequest } from "./explain.ts";
import { type ExplainInboundRequest, explainInbound, type InboundExplanation } from "./explain-inbound.ts";
import { checkExtensions, extensionWarnings, layersOf } from "./extension-checks.ts";
import { Extensions } from "./extensions.ts";
import { composeInbound } from "./inbound.ts";
import { type Health, type Inspection, inspectMesh } from "./inspect.ts";
import type { Handler, Layer } from "./layer.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MeshRequest, MeshResponse } from "./message.ts";
import { DEFAULT_START_TIMEOUT_MS } from "./model/defaults.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import type { Problem } from "./model/problem.ts";
import { nearest } from "./nearest.ts";
import { checkKeys } from "./option-keys.ts";
import type { ProtectedFunction, ProtectOptions } from "./policy/protect.ts";
import { type Random, systemRandom } from "./random.ts";
import { findReport, type Report, rememberContext } from "./report.ts";
import { type RequestInit, startOutbound } from "./request-start.ts";
import { Resources } from "./resources.ts";
import { Security } from "./security.ts";
import type { ServerTls } from "./server-tls.ts";
import { type Closing, shutDown } from "./shutdown.ts";
import { type AccessLog, accessLog } from "./telemetry/access-log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { clientSpan, serverSpan } from "./telemetry/tracing.ts";
import { Waits } from "./waits.ts";

/** The mesh in one process, without a protocol's front doors (those are in @heddle/http and the umbrella `heddle`). */
export interface Mesh {
  readonly serviceName: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  /** What happens to hosts that no service claims. */
  readonly egress: "allow" | "deny";

  /** Resolves once every source has spoken; rejects with `not_ready` after the start timeout, naming each source and why. */
  ready(): Promise<void>;

  /** The stack of the virtual host that claims this authority (`host` or `host:port`, any case); null if none does. */
  virtualHost(authority: string): Handler | null;
  /** A request with its context: deadline, tags and trace of the inbound request it is made in, if any. */
  startRequest(init: RequestInit): MeshRequest;
  /** `virtualHost` and `startRequest` in one; rejects with `unknown_service` where no service claims the authority. */
  send(init: RequestInit): Promise<MeshResponse>;

  /**
   * Runs a function under the policies that the configuration has for this name under `resources`. Rejects with what the function
   * rejects with, or with a MeshError that has the report. Rejects with TypeError for a name that the configuration does not have.
   */
  protect<T>(resource: string, run: ProtectedFunction<T>, options?: ProtectOptions<T>): Promise<T>;

  /** The error for a host that no service claims, with the host that was probably meant. */
  unknownService(authority: string): MeshError;

  /** The inbound stack. `request.context.app` must be set: it answers what no layer did. Rejects only if the app does. */
  readonly inbound: Handler;
  /** Something guards the way in, a policy or a layer of the user's own: what cannot be put through `inbound` has to be refused. */
  readonly isGuarded: boolean;
  /** TLS of connections that come in. */
  readonly serverTls: ServerTls;
  /** Throws TypeError unless this mesh has a service that the configuration defines or may define. Called by whoever starts to serve. */
  assertServing(): void;
  /** Registers something to be told that the mesh drains, and to be closed with it: a listener. Returns a function that unregisters it. */
  onClose(closing: Closing): () => void;
  /** True from the moment `close` was called: readiness fails and answers tell callers to go elsewhere. */
  readonly isDraining: boolean;

  /** Makes `report(object)` answer for this request. The object must be extensible. */
  remember(object: object, context: RequestContext): void;
  /** What happened to the call that gave this reply, response or error, or to a request being served (`req`, `req.mesh`); undefined if it was not made through the mesh. */
  report(reply: unknown): Report | undefined;
  explain(request: ExplainRequest): Explanation;
  /** Whether this service would serve a request, and every reason; counts and sends nothing. */
  explainInbound(request: ExplainInboundRequest): InboundExplanation;
  inspect(): Inspection;
  health(): Health;
  /** Tells `onProblem`, once for each. */
  reportProblem(problem: Problem): void;

  /**
   * The only way down: readiness fails and callers are told, serving goes on for `drain` (default 0), requests in flight finish within
   * `limit` (default 10 s), then everything is cut. Frees every timer, socket and listener. Idempotent.
   */
  close(options?: { readonly drain?: Duration; readonly limit?: Duration }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_CLOSE_LIMIT_MS = 10_000;
/** How often channels are looked at that nothing may use any more. */
const SWEEP_MS = 60_000;

/** Starts a mesh. It begins to watch its source at once; `ready()` tells when it can be used. */
export function createMesh(options: MeshOptions): Mesh {
  return new RunningMesh(options);
}

class RunningMesh implements Mesh {
  readonly serviceName: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  readonly inbound: Handler;
  readonly serverTls: ServerTls;
  isDraining = false;
  readonly #options: MeshOptions;
  readonly #problems: Problems;
  readonly #store = new SnapshotStore();
  readonly #channels: Channels;
  readonly #waits = new Waits();
  readonly #extensions: Extensions;
  readonly #dataPlane: DataPlane;
  readonly #resources: Resources;
  readonly #security: Security;
  readonly #sources: WatchedSources;
  readonly #metrics: Metrics;
  readonly #log: AccessLog | null;
  readonly #inboundInFlight = { count: 0 };
  readonly #closings = new Set<Closing>();
  readonly #waiting = new Set<() => void>();
  #closed: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.serviceName = options.service;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.deadlines = new Deadlines(this.clock);
    this.#problems = new Problems(options.onProblem ?? writeProblem);
    const warn = (message: string) => this.#problems.report({ where: "telemetry", message, severity: "warning" });
    this.#metrics = createMetrics(this.clock, warn);
    this.#log = accessLog(options.accessLog ?? false, { clock: this.clock, warn });
    this.#channels = new Channels(options.transport, this.clock, this.random);
    this.#extensions = new Extensions(options);
    this.#security = new Security(options, {
      clock: this.clock,
      random: this.random,
      policy: () => this.#inboundPolicy(),
      report: (problem) => this.#problems.report(problem),
      identified: () => this.#settleWaiting(),
      rotated: ({ formerUntilMs }) => this.#channels.rotate(formerUntilMs),
      expired: () => this.#channels.expire(),
    });
    this.serverTls = this.#security.serverTls;
    const time = { clock: this.clock, deadlines: this.deadlines, random: this.random, waits: this.#waits };
    this.#dataPlane = new DataPlane(this.#store.current, {
      clock: this.clock,
      random: this.random,
      channels: this.#channels,
      extensions: this.#extensions,
      report: (problem) => this.#problems.report(problem),
      clientTls: (backend) => this.#security.clientTls(backend),
      outbound: {
        ...time,
        accessLog: this.#log?.layer("outbound") ?? null,
        metrics: this.#metrics.layer("outbound"),
        span: clientSpan({ warn }),
      },
    });
    this.#resources = new Resources({ ...time, metrics: this.#metrics.layer("resource"), extensions: this.#extensions });
    this.inbound = composeInbound({
      ...time,
      policy: () => this.#inboundPolicy(),
      isReady: () => this.#isReady(),
      accessLog: this.#log?.layer("inbound") ?? null,
      metrics: this.#metrics.layer("inbound"),
      span: serverSpan({ warn }),
      layers: () => this.#inboundLayers(),
      security: this.#security,
      inFlight: this.#inboundInFlight,
    });
    this.#sweepLater();
    this.#sources = new WatchedSources(options.config, {
      clock: this.clock,
      random: this.random,
      store: this.#store,
      problems: this.#problems,
      resolve: options.resolve ?? nodeResolve(),
      applied: () => this.#applied(),
      check: (snapshot) => [...checkExtensions(snapshot, this.#extensions), ...this.#security.check(snapshot)],
    });
  }

  get isGuarded(): boolean {
    return this.#inboundLayers().length > 0 || this.#security.guards(this.#inboundPolicy());
  }

  get egress(): "allow" | "deny" {
    return this.#store.current.egress;
  }

  ready(): Promise<void> {
    if (this.#isReady()) return this.#requireDefined();
    if (this.#sources.areHopeless) return Promise.reject(new MeshError("not_ready", this.#sources.waiting.join("; ")));
    const timeoutMs = durationMs(this.#options.startTimeout ?? DEFAULT_START_TIMEOUT_MS, "startTimeout");
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(settle);
        this.clock.clearTimer(timer);
        if (this.#isReady()) this.#requireDefined().then(resolve, reject);
        else reject(this.#notReady(timeoutMs));
      };
      const timer = this.clock.setTimer(timeoutMs, settle);
      this.#waiting.add(settle);
    });
  }

  virtualHost(authority: string): Handler | null {
    const handler = this.#dataPlane.handler(authority);
    return handler !== null && this.#isClosed ? refuseClosed : handler;
  }

  startRequest(init: RequestInit): MeshRequest {
    return startOutbound(init, this.clock);
  }

  send(init: RequestInit): Promise<MeshResponse> {
    const handler = this.virtualHost(init.authority);
    if (handler) return handler(startOutbound(init, this.clock));
    return Promise.reject(this.unknownService(init.authority));
  }

  unknownService(authority: string): MeshError {
    const meant = this.#dataPlane.nearestHost(authority);
    const egress = this.egress === "deny" ? ", and mesh.egress is deny" : "";
    return new MeshError("unknown_service", `no service claims ${authority}${egress}${meant === null ? "" : `; did you mean ${meant}?`}`);
  }

  protect<T>(resource: string, run: ProtectedFunction<T>, options?: ProtectOptions<T>): Promise<T> {
    if (this.#isReady() && !this.#isClosed) return this.#resources.call(resource, run, options);
    return Promise.reject(new MeshError(this.#isClosed ? "closed" : "not_ready", `protect(${resource}): the mesh cannot be used now`));
  }

  assertServing(): void {
    if (this.serviceName === undefined) {
      throw new TypeError("this mesh cannot serve: it has no service (give joinMesh `service`, or set HEDDLE_SERVICE)");
    }
    const undefinedBecause = this.#isReady() ? this.#undefinedBecause() : null;
    if (undefinedBecause !== null) throw new TypeError(`this mesh cannot serve: ${undefinedBecause}`);
  }

  onClose(closing: Closing): () => void {
    this.#closings.add(closing);
    if (this.isDraining) closing.drain();
    return () => this.#closings.delete(closing);
  }

  remember(object: object, context: RequestContext): void {
    rememberContext(object, context);
  }

  report(reply: unknown): Report | undefined {
    return findReport(reply);
  }

  explain(request: ExplainRequest): Explanation {
    return explainRequest(request, { dataPlane: this.#dataPlane, clock: this.clock, egress: this.egress });
  }

  explainInbound(request: ExplainInboundRequest): InboundExplanation {
    const policy = this.#inboundPolicy();
    if (policy === null) throw new TypeError("explainInbound: no source defines the service of this process");
    return explainInbound(request, policy, this.#security.mtlsMode(policy), this.clock.wallTime());
  }

  inspect(): Inspection {
    return inspectMesh({
      service: this.serviceName ?? null,
      store: this.#store,
      sources: this.#sources,
      states: this.#dataPlane.states,
      resources: this.#resources.states,
      problems: this.#problems.all,
      counters: this.#metrics.counts(),
      inboundInFlight: this.#inboundInFlight.count,
      security: this.#security.inspect(),
      now: this.clock.now(),
    });
  }

  health(): Health {
    const identity = this.#security.health();
    const because = [...this.#sources.waiting, ...identity.because];
    const undefinedBecause = this.#isReady() ? this.#undefinedBecause() : null;
    if (undefinedBecause !== null) because.push(undefinedBecause);
    if (this.isDraining) because.push("draining");
    return { ok: because.length === 0, because, warnings: identity.warnings };
  }

  reportProblem(problem: Problem): void {
    this.#problems.report(problem);
  }

  close(options: { readonly drain?: Duration; readonly limit?: Duration } = {}): Promise<void> {
    checkKeys(options, ["drain", "limit"], "mesh.close");
    this.#closed ??= this.#shutDown(durationMs(options.drain ?? 0, "drain"), durationMs(options.limit ?? DEFAULT_CLOSE_LIMIT_MS, "limit"));
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #applied(): void {
    const snapshot =
      this.#options.bypass === true ? bypassed(this.#store.current, this.#options.identity !== undefined) : this.#store.current;
    this.#extensions.keepLayers(layersOf(snapshot));
    for (const part of [this.#dataPlane, this.#resources]) part.update(snapshot);
    this.#security.applied(snapshot);
    this.#metrics.fold(presentIn(snapshot));
    for (const warning of extensionWarnings(snapshot, this.#extensions)) this.#problems.report(warning);
    this.#settleWaiting();
    this.#options.onChange?.({ revision: this.#store.revision });
  }

  /** Whoever waits for readiness looks again. */
  #settleWaiting(): void {
    if (this.#waiting.size === 0 || !this.#isReady()) return;
    for (const settle of this.#waiting) settle();
  }

  #inboundPolicy(): InboundPolicy | null {
    return this.serviceName === undefined ? null : (this.#store.current.inboundPolicies.get(this.serviceName) ?? null);
  }

  #inboundLayers(): readonly Layer[] {
    return this.#extensions.layers("inbound", this.#inboundPolicy()?.layers);
  }

  #isReady(): boolean {
    return this.#sources.areReady && this.#security.isReady;
  }

  #requireDefined(): Promise<void> {
    const because = this.#undefinedBecause();
    return because === null ? Promise.resolve() : Promise.reject(new MeshError("not_ready", because));
  }

  /** Why the service of this process does not exist; null if it does, or may. */
  #undefinedBecause(): string | null {
    const { inboundPolicies, enumeratesServices } = this.#store.current;
    if (this.serviceName === undefined || !enumeratesServices || inboundPolicies.has(this.serviceName)) return null;
    const meant = nearest(this.serviceName, [...inboundPolicies.keys()]);
    return `service ${JSON.stringify(this.serviceName)} is not defined by ${this.#sources.names}${meant === null ? "" : `; did you mean ${JSON.stringify(meant)}?`}`;
  }

  #notReady(timeoutMs: number): MeshError {
    return this.#isClosed
      ? new MeshError("closed", "the mesh was closed before it was ready")
      : new MeshError(
          "not_ready",
          `not ready after ${timeoutMs}ms: ${[...this.#sources.waiting, ...this.#security.health().because].join("; ")}`,
        );
  }

  #sweepLater(): void {
    this.deadlines.add(SWEEP_MS, () => {
      this.#dataPlane.sweep();
      this.#sweepLater();
    });
  }

  async #shutDown(drainMs: number, limitMs: number): Promise<void> {
    this.isDraining = true;
    const outbound: Closing = {
      drain() {},
      close: () => {
        this.#isClosed = true;
        return Promise.all([this.#waits.whenNone(), this.#resources.whenNone()]).then(() => this.#channels.close());
      },
      destroy: () => {
        const reason = new MeshError("closed", "the mesh was closed");
        this.#waits.cancelAll(reason);
        this.#resources.cancelAll(reason);
        this.#channels.destroy(reason);
      },
    };
    await shutDown([...this.#closings, outbound], drainMs, limitMs, this.clock);
    for (const closing of [this.#sources, this.#resources, this.#security]) closing.close();
    for (const settle of this.#waiting) settle();
    this.deadlines.close();
    await this.#log?.close();
  }
}

const refuseClosed: Handler = ({ method, authority }) =>
  Promise.reject(new MeshError("closed", `${method} ${authority}: the mesh was closed`));
