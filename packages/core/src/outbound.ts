import type { BackendState } from "./backend-state.ts";
import { balance } from "./balance/balance.ts";
import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import { compose, type Handler, type Layer } from "./layer.ts";
import { derive, localResponse, type MeshRequest, type MeshResponse } from "./message.ts";
import type { HeaderEdit, Route, RouteAction, WeightedBackend } from "./model/route.ts";
import type { VirtualHost } from "./model/virtual-host.ts";
import { attempts } from "./policy/attempts.ts";
import { breakerLayer } from "./policy/breaker.ts";
import { concurrencyLimit } from "./policy/concurrency-limit.ts";
import { plaintextOnly } from "./policy/plaintext.ts";
import { deadline, tryTimeout } from "./policy/timeout.ts";
import type { Random } from "./random.ts";
import { failureReport } from "./report.ts";
import { editHeaders } from "./routing/header-operations.ts";
import { type CompiledMatch, compileMatch } from "./routing/match.ts";
import { redirectLocation } from "./routing/redirect.ts";
import { rewritePath } from "./routing/rewrite.ts";
import { router } from "./routing/router.ts";
import { split } from "./routing/split.ts";

export interface OutboundDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly accessLog: Layer | null;
  readonly metrics: Layer;
  readonly span: Layer;
  /** The state of a backend of the current snapshot. */
  backendState(name: string): BackendState;
}

export interface CompiledRoute {
  readonly name: string;
  readonly route: Route;
  readonly match: CompiledMatch;
  readonly handler: Handler;
}

export interface CompiledVirtualHost {
  readonly virtualHost: VirtualHost;
  readonly routes: readonly CompiledRoute[];
  readonly handler: Handler;
}

/** The way of every request out of the process. Nothing is put together anywhere else. */
export function compileVirtualHost(virtualHost: VirtualHost, dependencies: OutboundDependencies): CompiledVirtualHost {
  const routes = virtualHost.routes.map((route) => compileRoute(route, dependencies));
  const handler = compose(
    [
      // Outermost, so that whatever fails beneath leaves with what happened to it.
      failureReport(virtualHost.name),
      // Above every decision, so that refusals are logged and counted too.
      dependencies.accessLog,
      dependencies.metrics,
    ],
    router(virtualHost.name, routes),
  );
  return { virtualHost, routes, handler };
}

function compileRoute(route: Route, dependencies: OutboundDependencies): CompiledRoute {
  const match = compileMatch(route.match, dependencies.random);
  return { name: route.name, route, match, handler: routeHandler(route, dependencies) };
}

function routeHandler(route: Route, dependencies: OutboundDependencies): Handler {
  const { action } = route;
  if (action.kind === "redirect") return redirect(route, action);
  if (action.kind === "respond") return respond(route, action);
  return compose(
    [
      origin(route),
      // Above everything that can wait, so that the total covers all of it.
      deadline(route.timeout?.totalMs ?? null, dependencies),
      // Above the split, so that every backend of the route sees the same request.
      requestChange(route),
      responseHeaders(route.headers?.response ?? null),
    ],
    // Above limits and attempts, so that a retry stays in the share it was given.
    split(
      action.to.map((to) => ({ weight: to.weight, handler: backendHandler(route, to, dependencies) })),
      dependencies.random,
    ),
  );
}

function backendHandler(route: Route, to: WeightedBackend, dependencies: OutboundDependencies): Handler {
  const state = dependencies.backendState(to.backend);
  const { backend } = state;
  const retry = route.retry;
  const perTryTimeoutMs = retry === null || retry === "off" ? null : retry.perTryTimeoutMs;
  return compose(
    [
      toBackend(to),
      // Before anything is counted or sent: what asked for TLS does not leave without.
      backend.tls === null ? plaintextOnly(backend.name) : null,
      // Above the attempts, so that a request counts once, however often it is tried.
      backend.limits.maxRequests === null ? null : concurrencyLimit(backend.limits.maxRequests, backend.name, state.inFlight),
      attempts(retry, state.retryBudget, dependencies),
      // Each attempt from here on. The breaker first: a refused try is no span and takes no endpoint.
      state.breaker === null ? null : breakerLayer(backend.name, state.breaker, dependencies.clock),
      // Above the try's timeout, so that the span shows the timeout as its end.
      dependencies.span,
      // Beneath the span, above the pick: a slow endpoint costs this try only.
      perTryTimeoutMs === null ? null : tryTimeout(perTryTimeoutMs, dependencies),
    ],
    balance(state, dependencies),
  );
}

/** Notes where the policies came from. */
function origin(route: Route): Layer {
  return (next) => (request) => {
    request.context.policyFrom = route.origin;
    return next(request);
  };
}

/** Rewrite and the route's request headers; absent if the route has neither. */
function requestChange(route: Route): Layer | null {
  const rewrite = route.action.kind === "forward" ? route.action.rewrite : null;
  const edit = route.headers?.request ?? null;
  if (rewrite === null && edit === null) return null;
  return (next) => (request) => next(changedRequest(request, route, edit));
}

/** The request as it leaves a route. `explain` calls it too. */
export function changedRequest(request: MeshRequest, route: Route, edit: HeaderEdit | null): MeshRequest {
  const rewrite = route.action.kind === "forward" ? route.action.rewrite : null;
  return derive(request, {
    path: rewritePath(request.path, rewrite, route.match.path),
    authority: rewrite?.authority ?? request.authority,
    headers: edit === null ? request.headers : editHeaders(request.headers, edit),
  });
}

function responseHeaders(edit: HeaderEdit | null): Layer | null {
  if (edit === null) return null;
  return (next) => (request) => next(request).then((response) => ({ ...response, headers: editHeaders(response.headers, edit) }));
}

/** Notes the backend, and applies the header operations of this share of the split. */
function toBackend(to: WeightedBackend): Layer {
  const edit = to.headers?.request ?? null;
  const named: Layer = (next) => (request) => {
    request.context.backend = to.backend;
    return next(edit === null ? request : derive(request, { headers: editHeaders(request.headers, edit) }));
  };
  const response = responseHeaders(to.headers?.response ?? null);
  return response === null ? named : (next) => named(response(next));
}

function redirect(route: Route, action: Extract<RouteAction, { kind: "redirect" }>): Handler {
  return localAnswer(route, (request) =>
    localResponse(action.status, "", { location: redirectLocation(action, route.match.path, request) }),
  );
}

function respond(route: Route, action: Extract<RouteAction, { kind: "respond" }>): Handler {
  return localAnswer(route, (request) => localResponse(action.status, request.method === "HEAD" ? null : action.body, action.headers));
}

/** An answer that no endpoint gives. */
function localAnswer(route: Route, answer: (request: MeshRequest) => MeshResponse): Handler {
  const handler: Handler = (request) => Promise.resolve(answer(request));
  return compose([origin(route), responseHeaders(route.headers?.response ?? null)], handler);
}
