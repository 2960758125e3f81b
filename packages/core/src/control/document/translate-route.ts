import type {
  DestinationDocument,
  HeaderEditDocument,
  HeaderOperationsDocument,
  PathMatchDocument,
  RedirectDocument,
  RewriteDocument,
  RouteDocument,
  RouteMatchDocument,
  StringMatchDocument,
} from "../../gen/document.ts";
import type { MethodMatch, NamedMatch, PathMatch, RouteMatch, StringMatch } from "../../model/match.ts";
import type { HeaderEdit, HeaderOperations, Origin, Rewrite, Route, RouteAction, WeightedBackend } from "../../model/route.ts";
import { type Inherited, originsOf, ROUTE_POLICIES } from "./inherit.ts";
import { backendName, lowerCaseNames } from "./names.ts";
import type { Places } from "./places.ts";
import { callMatch } from "./translate-call-match.ts";
import { retryConfig, timeoutPolicy } from "./translate-policy.ts";
import { fallbackPolicy, faultPolicy, mirrorPolicies, respondAction } from "./translate-traffic.ts";

const MATCHES_ALL: RouteMatch = { authority: null, path: null, method: null, headers: [], query: [], fraction: null };

/** Names are unique within a service, written or not: reports and metrics go by them. */
export function routeName(service: string, route: RouteDocument, index: number): string {
  return route.name ?? `${service}/${index}`;
}

/** The route of a service that lists none: everything to the service itself. */
export function defaultRoute(serviceName: string, inherited: Inherited, origin: Origin, places: Places): Route {
  return routeOf("default", serviceName, {}, inherited, origin, places);
}

export function translateRoute(
  serviceName: string,
  route: RouteDocument,
  index: number,
  inherited: Inherited,
  origin: Origin,
  places: Places,
): Route {
  return routeOf(routeName(serviceName, route, index), serviceName, route, inherited, origin, places);
}

function routeOf(name: string, serviceName: string, route: RouteDocument, inherited: Inherited, origin: Origin, places: Places): Route {
  const { policies } = inherited;
  return {
    name,
    match: translateMatch(route.match),
    action: translateAction(serviceName, route),
    timeout: timeoutPolicy(policies.timeout),
    retry: retryConfig(policies.retry),
    headers: translateHeaders(route.headers),
    fault: faultPolicy(policies.fault),
    mirrors: mirrorPolicies(serviceName, policies.mirror),
    fallback: fallbackPolicy(serviceName, policies.fallback),
    hashOn: [],
    origin,
    policyFrom: originsOf(inherited, ROUTE_POLICIES, places),
  };
}

export function translateMatch(match: RouteMatchDocument | undefined): RouteMatch {
  if (!match) return MATCHES_ALL;
  return {
    authority: match.authority ? stringMatch(match.authority) : null,
    path: match.path ? pathMatch(match.path) : match.grpc ? callMatch(match.grpc) : null,
    method: match.methods ? methodMatch(match.methods) : null,
    headers: namedMatches(match.headers, (name) => name.toLowerCase()),
    query: namedMatches(match.query, (name) => name),
    fraction: null,
  };
}

function namedMatches(
  matches: Readonly<Record<string, StringMatchDocument>> | undefined,
  rename: (name: string) => string,
): readonly NamedMatch[] {
  return Object.entries(matches ?? {}).map(([name, match]) => ({ name: rename(name), match: stringMatch(match) }));
}

function stringMatch(match: StringMatchDocument): StringMatch {
  const flags = { ignoreCase: match.ignoreCase ?? false, not: match.not ?? false };
  if (match.exact !== undefined) return { kind: "exact", value: match.exact, ...flags };
  if (match.prefix !== undefined) return { kind: "prefix", value: match.prefix, ...flags };
  if (match.suffix !== undefined) return { kind: "suffix", value: match.suffix, ...flags };
  if (match.regex !== undefined) return { kind: "regex", value: match.regex, ...flags };
  return { kind: "present", value: "", ...flags };
}

function methodMatch(methods: NonNullable<RouteMatchDocument["methods"]>): MethodMatch {
  return "not" in methods ? { methods: methods.not, not: true } : { methods, not: false };
}

function pathMatch(match: PathMatchDocument): PathMatch {
  const flags = { ignoreCase: match.ignoreCase ?? false, not: match.not ?? false };
  if (match.exact !== undefined) return { kind: "exact", value: match.exact, ...flags };
  if (match.suffix !== undefined) return { kind: "suffix", value: match.suffix, ...flags };
  if (match.regex !== undefined) return { kind: "regex", value: match.regex, ...flags };
  return { kind: "prefix", value: match.prefix ?? "/", ...flags };
}

function translateAction(serviceName: string, route: RouteDocument): RouteAction {
  if (route.redirect) return translateRedirect(route.redirect);
  if (route.respond) return respondAction(route.respond);
  return {
    kind: "forward",
    to: (route.to ?? [{}]).map((destination) => weightedBackend(serviceName, destination)),
    rewrite: route.rewrite ? translateRewrite(route.rewrite) : null,
  };
}

function translateRewrite({ prefix, path, regex, authority }: RewriteDocument): Rewrite {
  return { prefix: prefix ?? null, path: path ?? null, regex: regex ?? null, authority: authority ?? null };
}

function weightedBackend(serviceName: string, destination: DestinationDocument): WeightedBackend {
  return {
    backend: backendName(destination.service ?? serviceName, destination.subset),
    weight: destination.weight ?? 1,
    headers: translateHeaders(destination.headers),
  };
}

function translateRedirect(redirect: RedirectDocument): RouteAction {
  return {
    kind: "redirect",
    status: redirect.status ?? 302,
    scheme: redirect.scheme ?? null,
    host: redirect.host?.toLowerCase() ?? null,
    port: redirect.port ?? null,
    path: redirectPath(redirect),
    stripQuery: redirect.stripQuery ?? false,
  };
}

function redirectPath({ path, prefix, regex }: RedirectDocument): Extract<RouteAction, { kind: "redirect" }>["path"] {
  if (path !== undefined) return { kind: "replace", value: path };
  if (prefix !== undefined) return { kind: "prefix", value: prefix };
  return regex === undefined ? null : { kind: "regex", pattern: regex.pattern, value: regex.substitution };
}

function translateHeaders(operations: HeaderOperationsDocument | undefined): HeaderOperations | null {
  const request = headerEdit(operations?.request);
  const response = headerEdit(operations?.response);
  return request || response ? { request, response } : null;
}

function headerEdit(edit: HeaderEditDocument | undefined): HeaderEdit | null {
  if (!edit) return null;
  const translated = {
    set: lowerCaseNames(edit.set),
    add: lowerCaseNames(edit.add),
    remove: (edit.remove ?? []).map((name) => name.toLowerCase()),
  };
  const isEmpty = Object.keys(translated.set).length + Object.keys(translated.add).length + translated.remove.length === 0;
  return isEmpty ? null : translated;
}
