import type {
  MeshDocument,
  RedirectDocument,
  RegexRewriteDocument,
  RouteDocument,
  RouteMatchDocument,
  ServiceDocument,
} from "../../gen/document.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { groupCount } from "./regex.ts";
import { checkTarget } from "./targets.ts";
import { hostClaims } from "./translate.ts";
import { routeName } from "./translate-route.ts";

/** Routes among themselves, and what they point at. */
export function crossCheckRoutes(document: MeshDocument, serviceName: string, service: ServiceDocument, mistakes: Mistakes): void {
  const names = new Map<string, number>();
  let catchAll: number | undefined;
  for (const [index, route] of (service.routes ?? []).entries()) {
    const path = ["services", serviceName, "routes", index];
    const name = routeName(serviceName, route, index);
    const namesake = names.get(name);
    if (namesake !== undefined) mistakes.add([...path, "name"], `the name "${name}" is taken by routes[${namesake}]`);
    else names.set(name, index);
    if (catchAll !== undefined) mistakes.warn(path, `never taken: routes[${catchAll}] matches everything before it`);
    else if (matchesEverything(route.match)) catchAll = index;
    checkCallMatch(route, [...path, "match", "grpc"], mistakes);
    checkDestinations(document, serviceName, route, path, mistakes);
    checkRewrites(route, path, mistakes);
    if (route.redirect) checkRedirectLoop(serviceName, service, route, route.redirect, path, mistakes);
  }
}

function checkCallMatch({ match }: RouteDocument, path: Path, mistakes: Mistakes): void {
  const grpc = match?.grpc;
  if (grpc && grpc.service === undefined && grpc.method === undefined)
    mistakes.add(path, "found neither service nor method, expected what is called");
}

function matchesEverything(match: RouteMatchDocument | undefined): boolean {
  if (!match) return true;
  const { path, grpc, methods, headers, query, authority } = match;
  if (grpc || methods || authority || Object.keys(headers ?? {}).length > 0 || Object.keys(query ?? {}).length > 0) return false;
  return path === undefined || (path.prefix === "/" && path.not !== true);
}

function checkDestinations(document: MeshDocument, serviceName: string, route: RouteDocument, path: Path, mistakes: Mistakes): void {
  const { to } = route;
  if (!to) return;
  if (to.length > 0 && to.every((destination) => destination.weight === 0))
    mistakes.add([...path, "to"], "the weights sum to 0, so no request could go anywhere");
  for (const [index, { service, subset }] of to.entries())
    checkTarget(document, service ?? serviceName, subset, [...path, "to", index], mistakes);
}

/** Nothing may be written that would be ignored. */
function checkRewrites(route: RouteDocument, path: Path, mistakes: Mistakes): void {
  const replacesPrefix = route.match?.path?.prefix !== undefined && route.match.path.not !== true;
  if (route.rewrite?.prefix !== undefined && !replacesPrefix)
    mistakes.add([...path, "rewrite", "prefix"], "replaces what match.path.prefix matched, but the route has no such match", "key");
  if (route.redirect?.prefix !== undefined && !replacesPrefix)
    mistakes.add([...path, "redirect", "prefix"], "replaces what match.path.prefix matched, but the route has no such match", "key");
  checkSubstitution(route.rewrite?.regex, [...path, "rewrite", "regex"], mistakes);
  checkSubstitution(route.redirect?.regex, [...path, "redirect", "regex"], mistakes);
  const answer = route.redirect ? "redirect" : route.respond ? "respond" : undefined;
  if (answer === undefined) return;
  for (const key of ["timeout", "retry", "rewrite", "fault", "mirror", "fallback", "use"] as const)
    if (route[key] !== undefined)
      mistakes.add([...path, key], `has no meaning beside ${answer}, which sends nothing to an endpoint`, "key");
  if (route.headers?.request)
    mistakes.add([...path, "headers", "request"], `has no meaning beside ${answer}, which sends nothing to an endpoint`, "key");
}

function checkSubstitution(regex: RegexRewriteDocument | undefined, path: Path, mistakes: Mistakes): void {
  if (regex?.pattern === undefined || regex.substitution === undefined) return;
  const groups = groupCount(regex.pattern);
  const named = [...regex.substitution.matchAll(/\\\\|\\([0-9])/g)].map(([, digit]) => Number(digit ?? 0));
  const most = Math.max(0, ...named);
  if (groups !== undefined && most > groups)
    mistakes.add([...path, "substitution"], `names group \\${most}, but the pattern has ${groups === 0 ? "no group" : `only ${groups}`}`);
}

/** Only what leads back to the very same URL for certain: an earlier route may well catch what merely looks alike. */
function checkRedirectLoop(
  serviceName: string,
  service: ServiceDocument,
  route: RouteDocument,
  redirect: RedirectDocument,
  path: Path,
  mistakes: Mistakes,
): void {
  const hosts = hostClaims(serviceName, service);
  const movesHost = redirect.host !== undefined && !(hosts.length === 1 && hosts[0] === redirect.host.toLowerCase());
  if (movesHost || redirect.scheme !== undefined || redirect.port !== undefined || redirect.regex !== undefined) return;
  if (redirect.stripQuery) return;
  const match = route.match?.path?.not === true ? undefined : route.match?.path;
  const staysAtPath =
    redirect.path !== undefined ? redirect.path === match?.exact : redirect.prefix === undefined || redirect.prefix === match?.prefix;
  if (staysAtPath) mistakes.add([...path, "redirect"], "leads to the URL that was asked for, and so to itself", "key");
}
