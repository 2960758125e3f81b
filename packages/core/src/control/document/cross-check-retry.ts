import { formatDuration } from "../../duration.ts";
import type { MeshDocument, ServiceDocument } from "../../gen/document.ts";
import { type Inherited, type PolicyName, resourcePolicies, routePolicies, servicePolicies } from "./inherit.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { retryBudget, retryConfig, timeoutPolicy } from "./translate-policy.ts";

/** What retry and timeout say together, wherever each was written: for the defaults, the named policies, services and their routes. */
export function crossCheckRetry(document: MeshDocument, services: ReadonlyMap<string, ServiceDocument>, mistakes: Mistakes): void {
  checkTogether(written(document.defaults, ["defaults"]), mistakes);
  for (const [name, policy] of Object.entries(document.policies ?? {})) checkTogether(written(policy, ["policies", name]), mistakes);
  for (const [name, service] of services) {
    const path = ["services", name];
    const inherited = servicePolicies(document, name, service);
    checkTogether(inherited, mistakes);
    const routes = (service.routes ?? []).map((route, index) => routePolicies(document, inherited, route, [...path, "routes", index]));
    for (const route of routes) checkTogether(route, mistakes);
    checkBudget(service, inherited, routes, mistakes);
  }
  for (const [name, resource] of Object.entries(document.resources ?? {})) {
    const inherited = resourcePolicies(document, name, resource);
    checkTogether(inherited, mistakes);
    checkBudget({}, inherited, [], mistakes);
  }
}

function written(policies: Inherited["policies"] = {}, at: Path): Inherited {
  return { policies, from: Object.fromEntries(Object.keys(policies).map((name) => [name, [...at, name]])) };
}

function checkTogether(inherited: Inherited, mistakes: Mistakes): void {
  checkBackoff(inherited, mistakes);
  checkPerTry(inherited, mistakes);
  checkHead(inherited, mistakes);
}

function checkPerTry(inherited: Inherited, mistakes: Mistakes): void {
  const retry = retryConfig(inherited.policies.retry);
  const timeout = timeoutPolicy(inherited.policies.timeout);
  if (retry === null || retry === "off" || retry.perTryTimeoutMs === null || timeout === null) return;
  const { totalMs, headMs } = timeout;
  const isTotal = totalMs !== null && (headMs === null || totalMs <= headMs);
  const bound = isTotal ? totalMs : headMs;
  if (bound === null || retry.perTryTimeoutMs <= bound) return;
  const timeoutPath = pathOf(inherited, "timeout");
  const perTryPath = [...pathOf(inherited, "retry"), "perTryTimeout"];
  const values = `perTryTimeout is ${formatDuration(retry.perTryTimeoutMs)}, more than the ${isTotal ? "total timeout" : "timeout until the head"} of ${formatDuration(bound)}`;
  // The mistake stands where the more particular of the two was written.
  if (closeness(perTryPath) >= closeness(timeoutPath)) mistakes.add(perTryPath, `${values} (${mistakes.place(timeoutPath)})`);
  else mistakes.add(timeoutPath, `${values} (${mistakes.place(perTryPath)})`);
}

function checkHead(inherited: Inherited, mistakes: Mistakes): void {
  const timeout = timeoutPolicy(inherited.policies.timeout);
  if (!timeout || timeout.totalMs === null || timeout.headMs === null || timeout.headMs <= timeout.totalMs) return;
  mistakes.add(
    [...pathOf(inherited, "timeout"), "head"],
    `found ${formatDuration(timeout.headMs)}, more than the total of ${formatDuration(timeout.totalMs)}`,
  );
}

function checkBackoff(inherited: Inherited, mistakes: Mistakes): void {
  const config = retryConfig(inherited.policies.retry);
  if (config === null || config === "off" || config.backoff.baseMs <= config.backoff.maxMs) return;
  mistakes.add(
    [...pathOf(inherited, "retry"), "backoff"],
    `base is ${formatDuration(config.backoff.baseMs)}, more than max, which is ${formatDuration(config.backoff.maxMs)}`,
  );
}

function checkBudget(service: ServiceDocument, inherited: Inherited, routes: readonly Inherited[], mistakes: Mistakes): void {
  const { percent, minPerSecond } = retryBudget(inherited.policies.retry);
  if (percent > 0 || minPerSecond > 0) return;
  const inForce = (service.routes ?? []).length === 0 ? [inherited] : [inherited, ...routes];
  const retries = inForce.map(({ policies }) => retryConfig(policies.retry));
  const most = Math.max(0, ...retries.map((retry) => (retry === null || retry === "off" ? 0 : retry.maxRetries)));
  if (most > 0)
    mistakes.add(
      [...pathOf(inherited, "retry"), "budget"],
      `percent and minPerSecond are both 0, which forbids the retries that maxRetries: ${most} asks for`,
    );
}

function pathOf({ from }: Inherited, name: PolicyName): Path {
  return from[name] ?? [];
}

/** `defaults`, then a named policy, then a service, then a route. */
function closeness(path: Path): number {
  if (path[0] === "resources") return 2;
  if (path[0] === "services") return path.includes("routes") ? 3 : 2;
  return path[0] === "policies" ? 1 : 0;
}
