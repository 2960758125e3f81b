import type { BackendState } from "./backend-state.ts";
import type { Clock } from "./clock.ts";
import type { DataPlane } from "./data-plane.ts";
import {
  describeBreaker,
  describeFailure,
  describeFallback,
  describeFault,
  describeLimits,
  describeOutlier,
  describeRetry,
  describeTimeout,
  describeTls,
} from "./describe-policy.ts";
import { formatDuration } from "./duration.ts";
import type { EndpointState } from "./endpoint/endpoint.ts";
import { formatFraction } from "./fraction.ts";
import { NOTHING_TO_SHOW } from "./identity/nothing-to-show.ts";
import { copyHeaders, type HeaderMap, headerValue, type MeshRequest } from "./message.ts";
import type { Route, WeightedBackend } from "./model/route.ts";
import { checkKeys } from "./option-keys.ts";
import { type CompiledRoute, requestChange } from "./outbound.ts";
import { refusesScheme } from "./policy/plaintext.ts";
import { refusesProtocol } from "./policy/protocol.ts";
import { startOutbound } from "./request-start.ts";
import { redirectLocation } from "./routing/redirect.ts";
import type { RouteTable } from "./routing/route-table.ts";
import { pathnameOf } from "./routing/router.ts";
import type { RpcCall } from "./rpc.ts";

export interface ExplainRequest {
  /** Default GET. */
  readonly method?: string;
  readonly url: string;
  /** The method of a gRPC call, `shop.Ratings/Get`; `url` names the service alone then, `method` does not go with it. */
  readonly grpc?: string;
  /** An object, `Headers`, or pairs of name and value. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | Iterable<readonly [string, string]>;
}

/** A decision and every reason for it, as data. Made by the functions that decide for requests. */
export interface Explanation {
  readonly authority: string;
  /** The virtual host that claims the authority; null: unclaimed, and `egress` decides. */
  readonly virtualHost: { readonly name: string; readonly claim: string; readonly from: string } | null;
  readonly egress: "allow" | "deny" | null;
  /** Every route that was looked at, in order, up to the one taken. */
  readonly routes: readonly ExplainedRoute[];
  /** What will happen; the first of `alternatives` where a share of requests decides between several routes. */
  readonly decision: ExplainedDecision;
  /** Every decision that may be taken, when routes match only a fraction of requests. */
  readonly alternatives: readonly ExplainedDecision[];
}

export interface ExplainedRoute {
  readonly name: string;
  readonly from: string;
  readonly matched: boolean;
  readonly why: string;
}

export type ExplainedDecision =
  | { readonly kind: "unclaimed" }
  | { readonly kind: "no-route" }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string; readonly route: string }
  | { readonly kind: "respond"; readonly status: number; readonly body: string | null; readonly route: string }
  | {
      readonly kind: "forward";
      readonly route: string;
      /** As sent upstream, before header operations of a backend. */
      readonly authority: string;
      readonly path: string;
      readonly requestHeaders: HeaderMap;
      readonly timeout: string | null;
      readonly retry: string;
      /** Each in words; null: none. */
      readonly fault: string | null;
      readonly fallback: string | null;
      readonly mirrors: readonly string[];
      /** Where each policy of the route was written, by name; one that is not named is the default. */
      readonly policyFrom: Readonly<Record<string, string>>;
      /** What the weighted split may pick, with the share of each. */
      readonly backends: readonly ExplainedBackend[];
    };

export interface ExplainedBackend {
  readonly backend: string;
  readonly percent: number;
  readonly from: string;
  /** The code with which this backend refuses the request; null if it takes it. */
  readonly refuses: "tls_required" | "no_identity" | "protocol_error" | null;
  /** In words: plain text, or who its servers must prove to be. */
  readonly tls: string;
  readonly balancer: string;
  readonly breaker: string;
  readonly outlier: string;
  readonly limits: string;
  readonly failure: string;
  readonly whenEmpty: string;
  /** Where each policy of the backend was written, by name; one that is not named is the default. */
  readonly policyFrom: Readonly<Record<string, string>>;
  readonly endpoints: readonly { readonly address: string; readonly labels: Readonly<Record<string, string>>; readonly state: string }[];
}

export interface ExplainDependencies {
  readonly dataPlane: DataPlane;
  readonly clock: Clock;
  readonly egress: "allow" | "deny";
}

/**
 * Runs the very conditions and changes that a request runs, up to where chance or load would decide; sends nothing and consumes no
 * randomness, token or turn. Throws TypeError for a URL that is none.
 */
export function explainRequest(wanted: ExplainRequest, { dataPlane, clock, egress }: ExplainDependencies): Explanation {
  const { request, host } = requestOf(wanted, clock);
  const claim = dataPlane.claim(host);
  if (claim === null) {
    return {
      authority: request.authority,
      virtualHost: null,
      egress,
      routes: [],
      decision: { kind: "unclaimed" },
      alternatives: [{ kind: "unclaimed" }],
    };
  }
  const { virtualHost } = claim;
  const { routes, alternatives } = explainRoutes(dataPlane.compiled(virtualHost).table, request, dataPlane, clock.now());
  return {
    authority: request.authority,
    virtualHost: { name: virtualHost.name, claim: claim.claim, from: virtualHost.origin },
    egress: null,
    routes,
    decision: alternatives[0] as ExplainedDecision,
    alternatives,
  };
}

/** As the front doors read it: the URL's host names the service, a `host` header the authority that is sent. */
function requestOf(wanted: ExplainRequest, clock: Clock): { request: MeshRequest; host: string } {
  checkKeys(wanted, ["method", "url", "grpc", "headers"], "mesh.explain");
  const { method = "GET", url, headers = {} } = wanted;
  if (!URL.canParse(url)) throw new TypeError(`mesh.explain: url: ${JSON.stringify(url)} is not a URL`);
  const parsed = new URL(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") throw new TypeError(`${url}: only http and https are explained`);
  if (parsed.username !== "" || parsed.password !== "")
    throw new TypeError(`mesh.explain: ${parsed.host}: a URL with credentials is not taken; set the authorization header`);
  if (wanted.grpc !== undefined) checkCall(wanted, parsed);
  const lower = copyHeaders({});
  const fields = Symbol.iterator in headers ? headers : Object.entries(headers);
  for (const [name, value] of fields) lower[name.toLowerCase()] = typeof value === "string" ? value : [...value];
  const authority = headerValue(lower, "host")?.toLowerCase() ?? parsed.host;
  delete lower.host;
  const request = startOutbound(
    {
      ...(wanted.grpc !== undefined && { rpc: A_CALL }),
      method: wanted.grpc === undefined ? method.toUpperCase() : "POST",
      scheme: parsed.protocol === "https:" ? "https" : "http",
      authority,
      path: wanted.grpc === undefined ? parsed.pathname + parsed.search : `/${wanted.grpc}`,
      headers: lower,
      body: null,
    },
    clock,
  );
  return { request, host: parsed.host };
}

/** How many messages go either way decides nothing of what is explained. */
const A_CALL: RpcCall = { kind: "unary", waitForReady: false, client: null };

function checkCall({ grpc = "", method }: ExplainRequest, { pathname, search }: URL): void {
  if (!/^[^\s/?#]+\/[^\s/?#]+$/.test(grpc))
    throw new TypeError(`mesh.explain: grpc: ${JSON.stringify(grpc)} is no method, which is written package.Service/Method`);
  if (method !== undefined) throw new TypeError("mesh.explain: method: a gRPC call is always a POST; leave it out beside grpc");
  if (pathname !== "/" || search !== "") throw new TypeError("mesh.explain: url: names the service alone beside grpc, without a path");
}

/**
 * A route with a fraction takes only some requests: what follows it may be taken too. Only a route that the table asks can be taken;
 * the others are asked here for their reason alone.
 */
function explainRoutes(
  table: RouteTable<CompiledRoute>,
  request: MeshRequest,
  dataPlane: DataPlane,
  now: number,
): { routes: ExplainedRoute[]; alternatives: ExplainedDecision[] } {
  const pathname = pathnameOf(request.path);
  const routes: ExplainedRoute[] = [];
  const alternatives: ExplainedDecision[] = [];
  const asked = new Set(table.asked(request, pathname));
  for (const compiled of table.routes) {
    const { name, route, match } = compiled;
    const failed = match.conditions.find((condition) => !condition.test(request, pathname))?.why;
    const refused = asked.has(compiled) ? failed : (failed ?? "passed over");
    routes.push({ name, from: route.origin, matched: refused === undefined, why: refused ? `not matched: ${refused}` : reasonOf(match) });
    if (refused !== undefined || match.fraction?.numerator === 0) continue;
    alternatives.push(decisionOf(route, request, dataPlane, now));
    if (match.fraction === null || match.fraction.numerator >= match.fraction.denominator) return { routes, alternatives };
  }
  return { routes, alternatives: [...alternatives, { kind: "no-route" }] };
}

function reasonOf({ conditions, fraction }: CompiledRoute["match"]): string {
  const all = conditions.map((condition) => condition.why);
  if (fraction) all.push(`${fraction.numerator} of ${fraction.denominator} requests`);
  return all.length === 0 ? "matches everything" : all.join(", ");
}

function decisionOf(route: Route, request: MeshRequest, dataPlane: DataPlane, now: number): ExplainedDecision {
  const { action } = route;
  switch (action.kind) {
    case "redirect":
      return { kind: "redirect", status: action.status, location: redirectLocation(action, route.match.path, request), route: route.name };
    case "respond":
      return { kind: "respond", status: action.status, body: action.body, route: route.name };
    case "forward": {
      const changed = requestChange(route)?.(request) ?? request;
      const total = action.to.reduce((sum, to) => sum + to.weight, 0);
      return {
        kind: "forward",
        route: route.name,
        authority: changed.authority,
        path: changed.path,
        requestHeaders: changed.headers,
        timeout: route.timeout === null ? null : describeTimeout(route.timeout),
        retry: describeRetry(route.retry),
        fault: route.fault === null ? null : describeFault(route.fault),
        fallback: route.fallback === null ? null : describeFallback(route.fallback),
        mirrors: route.mirrors.map(({ backend, fraction }) => `${formatFraction(fraction)} to ${backend}`),
        policyFrom: route.policyFrom,
        backends: action.to
          .filter((to) => to.weight > 0)
          .map((to) => explainBackend(to, total, request, dataPlane.backendState(to.backend), now)),
      };
    }
    default:
      return action satisfies never;
  }
}

function refusalOf({ scheme, context }: MeshRequest, { tls, backend }: BackendState): ExplainedBackend["refuses"] {
  if (refusesProtocol(context.rpc !== null, backend.protocol)) return "protocol_error";
  if (tls === NOTHING_TO_SHOW) return "no_identity";
  return refusesScheme(scheme, tls !== null) ? "tls_required" : null;
}

function explainBackend(to: WeightedBackend, total: number, request: MeshRequest, state: BackendState, now: number): ExplainedBackend {
  const { backend } = state;
  return {
    backend: to.backend,
    percent: (to.weight / total) * 100,
    from: backend.origin,
    refuses: refusalOf(request, state),
    tls: describeTls(backend.tls, state.tls?.mode ?? null),
    balancer: backend.balancer.policy,
    breaker: describeBreaker(backend.breaker, state.breaker?.state(now) ?? "closed"),
    outlier: describeOutlier(backend.outlier),
    limits: describeLimits(backend.limits),
    failure: describeFailure(backend.failure, backend.protocol),
    whenEmpty: backend.emptyWaitMs === 0 ? "no wait" : `waits up to ${formatDuration(backend.emptyWaitMs)}`,
    policyFrom: backend.policyFrom,
    endpoints: state.endpoints.all.map((endpoint: EndpointState) => ({
      address: endpoint.address,
      labels: endpoint.endpoint.labels,
      state: endpoint.status,
    })),
  };
}
