import type {
  DestinationDocument,
  HeaderEditDocument,
  HeaderOperationsDocument,
  PathMatchDocument,
  RedirectDocument,
  RespondDocument,
  RouteDocument,
  RouteMatchDocument,
  ServiceDocument,
  StringMatchDocument,
} from "../../gen/document.ts";
import type { NamedMatch, PathMatch, RouteMatch, StringMatch } from "../../model/match.ts";
import type { HeaderEdit, HeaderOperations, Origin, Route, RouteAction, WeightedBackend } from "../../model/route.ts";
import { retryConfig, timeoutPolicy } from "./translate-policy.ts";

const MATCHES_ALL: RouteMatch = { authority: null, path: null, method: null, headers: [], query: [], fraction: null };

/** The name of the backend that stands for a service, or for a subset of it. */
export function backendName(service: string, subset?: string): string {
  return subset === undefined ? service : `${service}/${subset}`;
}

/** Names are unique within a service, written or not: reports and metrics go by them. */
export function routeName(service: string, route: RouteDocument, index: number): string {
  return route.name ?? `${service}/${index}`;
}

/** The route of a service that lists none: everything to the service itself. */
export function defaultRoute(serviceName: string, service: ServiceDocument, origin: Origin): Route {
  return {
    name: "default",
    match: MATCHES_ALL,
    action: { kind: "forward", to: [{ backend: backendName(serviceName), weight: 1, headers: null }], rewrite: null },
    timeout: timeoutPolicy(service.timeout),
    retry: retryConfig(service.retry),
    headers: null,
    hashOn: [],
    origin,
  };
}

export function translateRoute(serviceName: string, service: ServiceDocument, route: RouteDocument, index: number, origin: Origin): Route {
  return {
    name: routeName(serviceName, route, index),
    match: translateMatch(route.match),
    action: translateAction(serviceName, route),
    timeout: timeoutPolicy(route.timeout ?? service.timeout),
    retry: retryConfig(route.retry ?? service.retry),
    headers: translateHeaders(route.headers),
    hashOn: [],
    origin,
  };
}

export function translateMatch(match: RouteMatchDocument | undefined): RouteMatch {
  if (!match) return MATCHES_ALL;
  return {
    authority: match.authority ? stringMatch(match.authority) : null,
    path: match.path ? pathMatch(match.path) : null,
    method: match.methods ? { methods: match.methods, not: false } : null,
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

function pathMatch(match: PathMatchDocument): PathMatch {
  const flags = { ignoreCase: match.ignoreCase ?? false, not: match.not ?? false };
  if (match.exact !== undefined) return { kind: "exact", value: match.exact, ...flags };
  if (match.suffix !== undefined) return { kind: "suffix", value: match.suffix, ...flags };
  if (match.regex !== undefined) return { kind: "regex", value: match.regex, ...flags };
  return { kind: "prefix", value: match.prefix ?? "/", ...flags };
}

function translateAction(serviceName: string, route: RouteDocument): RouteAction {
  if (route.redirect) return translateRedirect(route.redirect);
  if (route.respond) return translateRespond(route.respond);
  const { rewrite } = route;
  return {
    kind: "forward",
    to: (route.to ?? [{}]).map((destination) => weightedBackend(serviceName, destination)),
    rewrite: rewrite ? { prefix: rewrite.prefix ?? null, authority: rewrite.authority ?? null } : null,
  };
}

function weightedBackend(serviceName: string, destination: DestinationDocument): WeightedBackend {
  return {
    backend: backendName(destination.service ?? serviceName, destination.subset),
    weight: destination.weight ?? 1,
    headers: translateHeaders(destination.headers),
  };
}

function translateRedirect(redirect: RedirectDocument): RouteAction {
  const { path, prefix } = redirect;
  return {
    kind: "redirect",
    status: redirect.status ?? 302,
    scheme: redirect.scheme ?? null,
    host: redirect.host?.toLowerCase() ?? null,
    port: redirect.port ?? null,
    path: path !== undefined ? { kind: "replace", value: path } : prefix !== undefined ? { kind: "prefix", value: prefix } : null,
    stripQuery: false,
  };
}

function translateRespond(respond: RespondDocument): RouteAction {
  const body = respond.json !== undefined ? JSON.stringify(respond.json) : (respond.body ?? null);
  const type = respond.json !== undefined ? "application/json" : "text/plain; charset=utf-8";
  const headers = lowerCaseNames(respond.headers);
  return {
    kind: "respond",
    status: respond.status,
    body,
    headers: body === null || Object.hasOwn(headers, "content-type") ? headers : lowerCaseNames({ "content-type": type, ...headers }),
  };
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

/** No prototype: `__proto__` is a legal header name. */
function lowerCaseNames(values: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const lower: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(values ?? {})) lower[name.toLowerCase()] = value;
  return lower;
}
