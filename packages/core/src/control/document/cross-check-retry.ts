import { formatDuration } from "../../duration.ts";
import type { RouteDocument, ServiceDocument } from "../../gen/document.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { retryBudget, retryConfig, timeoutPolicy } from "./translate-policy.ts";

/** What a service's retry and timeout say together, and each route's, with what it takes over from the service. */
export function crossCheckRetry(service: ServiceDocument, path: Path, mistakes: Mistakes): void {
  checkBackoff(service.retry, [...path, "retry"], mistakes);
  checkPerTry(service, service, path, path, mistakes);
  checkBudget(service, path, mistakes);
  for (const [index, route] of (service.routes ?? []).entries()) {
    const at = [...path, "routes", index];
    if (route.retry !== undefined) checkBackoff(route.retry, [...at, "retry"], mistakes);
    if (route.retry !== undefined || route.timeout !== undefined) checkPerTry(route, service, at, path, mistakes);
  }
}

type Policies = Pick<RouteDocument, "timeout" | "retry">;

function checkPerTry(own: Policies, inherited: Policies, path: Path, inheritedPath: Path, mistakes: Mistakes): void {
  const retry = retryConfig(own.retry ?? inherited.retry);
  const timeout = timeoutPolicy(own.timeout ?? inherited.timeout);
  if (retry === null || retry === "off" || retry.perTryTimeoutMs === null || !timeout || timeout.totalMs === null) return;
  if (retry.perTryTimeoutMs <= timeout.totalMs) return;
  const timeoutPath = [...(own.timeout === undefined ? inheritedPath : path), "timeout"];
  const perTryPath = [...(own.retry === undefined ? inheritedPath : path), "retry", "perTryTimeout"];
  const values = `perTryTimeout is ${formatDuration(retry.perTryTimeoutMs)}, more than the total timeout of ${formatDuration(timeout.totalMs)}`;
  // The mistake stands where the route says something; the other half may be the service's.
  if (own.retry !== undefined) mistakes.add(perTryPath, `${values} (${mistakes.place(timeoutPath)})`);
  else mistakes.add(timeoutPath, `${values} (${mistakes.place(perTryPath)})`);
}

function checkBackoff(retry: Policies["retry"], path: Path, mistakes: Mistakes): void {
  const config = retryConfig(retry);
  if (config === null || config === "off" || config.backoff.baseMs <= config.backoff.maxMs) return;
  mistakes.add(
    [...path, "backoff"],
    `base is ${formatDuration(config.backoff.baseMs)}, more than max, which is ${formatDuration(config.backoff.maxMs)}`,
  );
}

function checkBudget(service: ServiceDocument, path: Path, mistakes: Mistakes): void {
  const { percent, minPerSecond } = retryBudget(service.retry);
  if (percent > 0 || minPerSecond > 0) return;
  const retries = [service.retry, ...(service.routes ?? []).map((route) => route.retry)].map(retryConfig);
  const most = Math.max(0, ...retries.map((retry) => (retry === null || retry === "off" ? 0 : retry.maxRetries)));
  if (most > 0)
    mistakes.add(
      [...path, "retry", "budget"],
      `percent and minPerSecond are both 0, which forbids the retries that maxRetries: ${most} asks for`,
    );
}
