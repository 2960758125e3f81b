import type { BackendState } from "./backend-state.ts";
import { balance } from "./balance/balance.ts";
import { endpointSelection } from "./balance/endpoint-filter.ts";
import { whenEmpty } from "./balance/when-empty.ts";
import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import type { NamedPolicy } from "./extension-options.ts";
import type { Extensions } from "./extensions.ts";
import { isResponse } from "./guard-layer.ts";
import { compose, type Handler, type Layer } from "./layer.ts";
import { derive, type MeshRequest, type MeshResponse } from "./message.ts";
import type { Backend, FailureConfig } from "./model/backend.ts";
import { DEFAULT_FAILURE, DEFAULT_MIRROR_TIMEOUT_MS, IDEMPOTENT_METHODS } from "./model/defaults.ts";
import type { FallbackPolicy, HeaderEdit, MirrorPolicy, RetryConfig, Route, RouteAction, WeightedBackend } from "./model/route.ts";
import type { VirtualHost } from "./model/virtual-host.ts";
import { attempts } from "./policy/attempts.ts";
import { breakerLayer } from "./policy/breaker.ts";
import { concurrencyLimit } from "./policy/concurrency-limit.ts";
import { concernsOf } from "./policy/engines/concerns.ts";
import { givenPolicy } from "./policy/engines/given-policy.ts";
import { type FallbackAnswer, fallback } from "./policy/fallback.ts";
import { fault } from "./policy/fault.ts";
import { plaintextOnly } from "./policy/plaintext.ts";
import { refusesProtocol, wrongProtocol } from "./policy/protocol.ts";
import { mayRepeatCalls } from "./policy/retry.ts";
import { deadline, tryTimeout } from "./policy/timeout.ts";
import type { Random } from "./random.ts";
import { failureReport } from "./report.ts";
import { editHeaders } from "./routing/header-operations.ts";
import { type CompiledMatch, compileMatch } from "./routing/match.ts";
import { type Mirror, mirror } from "./routing/mirror.ts";
import { locationOf } from "./routing/redirect.ts";
import { pathRewriter } from "./routing/rewrite.ts";
import { type RouteTable, routeTable } from "./routing/route-table.ts";
import { router } from "./routing/router.ts";
import { split } from "./routing/split.ts";
import { answerTo } from "./rpc-answer.ts";
import { isTraced } from "./telemetry/tracer.ts";
import { clientSpan } from "./telemetry/tracing.ts";
import type { Waits } from "./waits.ts";

export interface OutboundDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly accessLog: Layer | null;
  readonly metrics: Layer;
  readonly span: Layer;
  readonly waits: Waits;
  /** What the code of the application gives. */
  readonly extensions: Extensions;
  /** The state of a backend of the current snapshot. */
  backendState(name: string): BackendState;
}

/** Of one virtual host. */
interface HostDependencies extends OutboundDependencies {
  /** Layers of the application's own around each try. */
  readonly tryLayers: readonly Layer[];
  /** Nothing above the route can wait: one look at the clock does from there to the first thing that can. */
  readonly isRoutedAtOnce: boolean;
}

export interface UnclaimedDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Told once what the SDK threw. */
  readonly warn: (message: string) => void;
}

export interface CompiledRoute {
  readonly name: string;
  readonly route: Route;
  readonly match: CompiledMatch;
  readonly handler: Handler;
}

export interface CompiledVirtualHost {
  readonly virtualHost: VirtualHost;
  readonly table: RouteTable<CompiledRoute>;
  readonly handler: Handler;
}

/** The way to hosts that no service claims: an inherited or given deadline, and a span where there is an SDK to make one. */
export function unclaimedStack(send: Handler, dependencies: UnclaimedDependencies): Handler {
  const spanned = clientSpan(dependencies)(send);
  // Without an SDK the trace of the inbound request stays within the mesh.
  return compose([deadline(null, dependencies)], (request) => (isTraced() ? spanned(request) : send(request)));
}

/** The way of every request out of the process. Nothing is put together anywhere else. */
export function compileVirtualHost(virtualHost: VirtualHost, dependencies: OutboundDependencies): CompiledVirtualHost {
  const { extensions } = dependencies;
  const requestLayers = extensions.layers("request", virtualHost.layers);
  const tryLayers = extensions.layers("attempt", virtualHost.layers);
  const hostDependencies = { ...dependencies, tryLayers, isRoutedAtOnce: requestLayers.length === 0 };
  const table = routeTable(virtualHost.routes.map((route) => compileRoute(route, hostDependencies)));
  const handler = compose(
    [
      // Outermost, so that whatever fails beneath leaves with what happened to it.
      failureReport(virtualHost.name),
      // Above every decision, so that refusals are logged and counted too.
      dependencies.accessLog,
      dependencies.metrics,
      // The application's own: beneath what logs and counts, so that what they refuse is seen; above the route, which they may change.
      ...requestLayers,
    ],
    router(virtualHost.name, table),
  );
  return { virtualHost, table, handler };
}

function compileRoute(route: Route, dependencies: HostDependencies): CompiledRoute {
  const match = compileMatch(route.match, dependencies.random);
  return { name: route.name, route, match, handler: routeHandler(route, dependencies) };
}

function routeHandler(route: Route, dependencies: HostDependencies): Handler {
  const { action } = route;
  if (action.kind === "redirect") return redirect(route, action);
  if (action.kind === "respond") return respond(route, action);
  let carried: Handler | null = null;
  const isTriedAtOnce = dependencies.isRoutedAtOnce && route.fault === null && route.mirrors.length === 0;
  const whole = compose(
    [
      origin(route),
      // Outside of everything that answers, so that the caller sees them on the mesh's own answers too.
      responseHeaders(route.headers?.response ?? null),
      // Above the deadline, so that it can answer when that has passed.
      route.fallback === null
        ? null
        : fallback(route.fallback.on, fallbackAnswer(route, route.fallback, dependencies), dependencies.deadlines),
      // Above everything that can wait, so that the total covers all of it.
      deadline(route.timeout, dependencies, dependencies.isRoutedAtOnce),
      // Beneath the deadline, which a delay uses up as a slow server would; above all that would hold it against an endpoint.
      route.fault === null ? null : fault(route.fault, dependencies),
      // Above the split, so that every backend of the route, and its mirrors, see the same request.
      changed(requestChange(route)),
      // Above the split and the attempts: one copy, whatever becomes of the request.
      route.mirrors.length === 0 ? null : mirror(mirrorsOf(route, route.mirrors, dependencies), dependencies),
    ],
    // Above limits and attempts, so that a retry stays in the share it was given.
    split(
      action.to.map((to) => ({ weight: to.weight, handler: backendHandler(route.retry, to, dependencies, isTriedAtOnce) })),
      dependencies.random,
    ),
  );
  return (request) => {
    if (request.context.carrier === null) return whole(request);
    carried ??= carriedHandler(route, action.to, dependencies);
    return carried(request);
  };
}

/** The way of a request that somebody else writes: what would repeat, change, copy or replace it has no place there. */
function carriedHandler(route: Route, to: readonly WeightedBackend[], dependencies: HostDependencies): Handler {
  return compose(
    [origin(route), toldTo(route), deadline(route.timeout, dependencies)],
    split(
      to.map(({ backend, weight }) => ({ weight, handler: backendHandler("off", { backend, weight, headers: null }, dependencies) })),
      dependencies.random,
    ),
  );
}

/** Lets the carrier know which route it is on. */
function toldTo(route: Route): Layer {
  return (next) => (request) => {
    request.context.carrier?.routed(route);
    return next(request);
  };
}

function backendHandler(
  retry: RetryConfig | "off" | null,
  to: WeightedBackend,
  dependencies: HostDependencies,
  isTriedAtOnce = false,
): Handler {
  const state = dependencies.backendState(to.backend);
  const { backend } = state;
  const { extensions } = dependencies;
  const filter = extensions.endpointFilter(backend.service);
  const given = backend.namedPolicy === null ? undefined : extensions.policy(backend.namedPolicy);
  const own = given === undefined ? null : concernsOf(given);
  // Retries inside of retries multiply.
  const tries = own?.retry ? "given" : retry;
  const perTryTimeoutMs = tries === null || tries === "off" || tries === "given" ? null : tries.perTryTimeoutMs;
  const { maxRequests } = backend.limits;
  return compose(
    [
      // Before anything is counted or sent: what does not speak the backend's protocol is refused here too.
      toBackend(to, backend),
      // Before anything is counted or sent: what asked for TLS does not leave without.
      state.tls === null ? plaintextOnly(backend.name) : null,
      // Above the attempts, so that a request counts once, however often it is tried.
      maxRequests === null || own?.limits ? null : concurrencyLimit(maxRequests, backend.name, state.inFlight),
      // Around the tries, as the application would put it around a call.
      given === undefined ? null : givenLayer(backend.namedPolicy ?? "", given, retry, dependencies),
      attempts(tries, state.retryBudget, dependencies, isTriedAtOnce && given === undefined),
      // Each attempt from here on. Before whatever judges it: what counts as its failure.
      isDefaultFailure(backend.failure) ? null : failsBy(backend.failure),
      // The breaker first: a refused try is no span and takes no endpoint.
      state.breaker === null || own?.breaker ? null : breakerLayer(backend.name, state.breaker, dependencies.clock),
      // Above the try's timeout, so that the span shows the timeout as its end.
      dependencies.span,
      // The application's own: beneath the span, so that their time is in it; above the wait for an endpoint, which they may spare.
      ...dependencies.tryLayers,
      // Above the try's timeout: that there is no endpoint yet is not the slowness of one.
      backend.emptyWaitMs === 0 ? null : whenEmpty(state, backend.emptyWaitMs, dependencies),
      // Beneath the span, above the pick: a slow endpoint costs this try only.
      perTryTimeoutMs === null ? null : tryTimeout(perTryTimeoutMs, dependencies),
    ],
    balance(state, dependencies, {
      selection: filter === null ? null : endpointSelection(backend.name, filter),
      picksAtOnce: dependencies.tryLayers.length === 0 && backend.emptyWaitMs === 0,
    }),
  );
}

function givenLayer(name: string, policy: NamedPolicy, retry: RetryConfig | "off" | null, { deadlines }: HostDependencies): Layer {
  const methods = retry === null || retry === "off" ? IDEMPOTENT_METHODS : retry.methods;
  const repeatsCalls = retry !== "off" && mayRepeatCalls(retry);
  return givenPolicy({
    name,
    policy,
    deadlines,
    mayRepeat({ method, context }) {
      const wasSent = context.attempts.some((attempt) => attempt.wasSent);
      if (!wasSent || context.options.idempotent === true) return true;
      return context.rpc === null ? methods.includes(method) : repeatsCalls;
    },
    shown: (_request, response) => response,
    answer: (_request, value) => (isResponse(value) ? value : null),
  });
}

function isDefaultFailure({ statuses, grpc, slowerThanMs }: FailureConfig): boolean {
  return slowerThanMs === null && same(statuses, DEFAULT_FAILURE.statuses) && same(grpc, DEFAULT_FAILURE.grpc);
}

function same(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

/** Gives each try its classifier. */
function failsBy(failure: FailureConfig): Layer {
  return (next) => (request) => {
    if (request.attempt) request.attempt.failure = failure;
    return next(request);
  };
}

/** A copy is tried once: a retry would be load that nobody asked for. */
function mirrorsOf(route: Route, policies: readonly MirrorPolicy[], dependencies: HostDependencies): Mirror[] {
  const timeout = route.timeout?.totalMs ?? DEFAULT_MIRROR_TIMEOUT_MS;
  return policies.map(({ backend, fraction }) => ({
    service: dependencies.backendState(backend).backend.service,
    route: route.name,
    fraction,
    stack: compose([deadline(timeout, dependencies)], backendHandler("off", { backend, weight: 1, headers: null }, dependencies)),
  }));
}

function fallbackAnswer({ retry }: Route, { action }: FallbackPolicy, dependencies: HostDependencies): FallbackAnswer {
  if (action.kind === "respond") return { handler: (request) => Promise.resolve(respondWith(action, request)), repeats: null };
  const to = { backend: action.backend, weight: 1, headers: null };
  return {
    // What is left of the deadline holds for it.
    handler: compose([deadline(null, dependencies)], backendHandler(null, to, dependencies)),
    repeats: retry === null || retry === "off" ? { methods: [], calls: false } : { methods: retry.methods, calls: mayRepeatCalls(retry) },
  };
}

/** Notes where the policies came from. */
function origin(route: Route): Layer {
  return (next) => (request) => {
    request.context.policyFrom = route.origin;
    return next(request);
  };
}

/** How a route changes a request, by rewrite and header operations, compiled; null if it does not. `explain` calls it too. */
export function requestChange(route: Route): ((request: MeshRequest) => MeshRequest) | null {
  const rewrite = route.action.kind === "forward" ? route.action.rewrite : null;
  const edit: HeaderEdit | null = route.headers?.request ?? null;
  if (rewrite === null && edit === null) return null;
  const rewritePath = pathRewriter(rewrite, route.match.path);
  return (request) =>
    derive(request, {
      path: rewritePath === null ? request.path : rewritePath(request.path),
      authority: rewrite?.authority ?? request.authority,
      headers: edit === null ? request.headers : editHeaders(request.headers, edit),
    });
}

function changed(change: ((request: MeshRequest) => MeshRequest) | null): Layer | null {
  return change === null ? null : (next) => (request) => next(change(request));
}

function responseHeaders(edit: HeaderEdit | null): Layer | null {
  if (edit === null) return null;
  return (next) => (request) => next(request).then((response) => ({ ...response, headers: editHeaders(response.headers, edit) }));
}

/** Notes the backend, refuses what does not speak its protocol, and applies the header operations of this share of the split. */
function toBackend(to: WeightedBackend, { protocol }: Backend): Layer {
  const edit = to.headers?.request ?? null;
  const named: Layer = (next) => (request) => {
    request.context.backend = to.backend;
    if (refusesProtocol(request.context.rpc !== null, protocol)) return Promise.reject(wrongProtocol(request, to.backend, protocol));
    return next(edit === null ? request : derive(request, { headers: editHeaders(request.headers, edit) }));
  };
  const response = responseHeaders(to.headers?.response ?? null);
  return response === null ? named : (next) => named(response(next));
}

function redirect(route: Route, action: Extract<RouteAction, { kind: "redirect" }>): Handler {
  const location = locationOf(action, route.match.path);
  return localAnswer(route, (request) => answerTo(request, action.status, "", { location: location(request) }));
}

function respond(route: Route, action: Extract<RouteAction, { kind: "respond" }>): Handler {
  return localAnswer(route, (request) => respondWith(action, request));
}

function respondWith(
  { status, body, headers }: Pick<Extract<RouteAction, { kind: "respond" }>, "status" | "body" | "headers">,
  request: MeshRequest,
): MeshResponse {
  return answerTo(request, status, request.method === "HEAD" ? null : body, headers);
}

/** An answer that no endpoint gives. */
function localAnswer(route: Route, answer: (request: MeshRequest) => MeshResponse): Handler {
  const handler: Handler = (request) => Promise.resolve(answer(request));
  return compose([origin(route), responseHeaders(route.headers?.response ?? null)], handler);
}
