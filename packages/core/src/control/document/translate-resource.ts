import type {
  LayerDocument,
  LimitsDocument,
  MeshDocument,
  ResourceDocument,
  RouteRetryDocument,
  ServiceDocument,
} from "../../gen/document.ts";
import { DEFAULT_RESOURCE_LIMITS } from "../../model/defaults.ts";
import type { LayerReference } from "../../model/layer-reference.ts";
import type { Resource, ResourceLimits } from "../../model/resource.ts";
import type { RetryCondition, RetryConfig } from "../../model/route.ts";
import { type Inherited, originsOf, RESOURCE_POLICIES, resourcePolicies } from "./inherit.ts";
import type { Places } from "./places.ts";
import { breakerConfig, retryBudget, retryConfig, timeoutPolicy } from "./translate-policy.ts";

export function translateResources(document: MeshDocument, places: Places): ReadonlyMap<string, Resource> {
  return new Map(
    Object.entries(document.resources ?? {}).map(([name, resource]) => [name, translateResource(document, name, resource, places)]),
  );
}

function translateResource(document: MeshDocument, name: string, resource: ResourceDocument, places: Places): Resource {
  const inherited = resourcePolicies(document, name, resource);
  const { policies } = inherited;
  return {
    name,
    timeoutMs: timeoutPolicy(policies.timeout)?.totalMs ?? null,
    retry: resourceRetry(resource, inherited),
    retryBudget: retryBudget(policies.retry),
    breaker: breakerConfig(policies.breaker),
    limits: resourceLimits(resource, policies.limits),
    namedPolicy: resource.policy ?? null,
    origin: places.origin(["resources", name]),
    policyFrom: originsOf(inherited, RESOURCE_POLICIES, places),
  };
}

const CONDITIONS: Readonly<Record<"error" | "timeout", RetryCondition>> = { error: "error", timeout: "attempt-timeout" };
const EVERY_CONDITION: readonly RetryCondition[] = Object.values(CONDITIONS);

/** Written for the resource, it consents to repeating every call; an inherited one waits for a call that says it may be repeated. */
function resourceRetry({ retry: own }: ResourceDocument, { policies }: Inherited): RetryConfig | null {
  const config = retryConfig(policies.retry as RouteRetryDocument | "off" | undefined);
  if (config === null || config === "off") return null;
  if (typeof own !== "object") return { ...config, on: EVERY_CONDITION, methods: [], retryAfterMaxMs: 0 };
  return { ...config, on: own.on?.map((condition) => CONDITIONS[condition]) ?? EVERY_CONDITION, methods: [""], retryAfterMaxMs: 0 };
}

/** The waiting that services allow is for a connection, and means nothing here. */
function resourceLimits({ limits: own }: ResourceDocument, inherited: LimitsDocument | "off" | undefined): ResourceLimits {
  if (inherited === undefined || inherited === "off") return DEFAULT_RESOURCE_LIMITS;
  const { maxRequests } = inherited;
  return {
    maxRequests: maxRequests === "off" ? null : (maxRequests ?? DEFAULT_RESOURCE_LIMITS.maxRequests),
    maxPending: (typeof own === "object" ? own.maxPending : undefined) ?? DEFAULT_RESOURCE_LIMITS.maxPending,
  };
}

export function layerReferences(name: string, service: ServiceDocument, places: Places): readonly LayerReference[] {
  return (service.layers ?? []).map((layer: LayerDocument, index) => ({
    use: layer.use,
    at: layer.at ?? "request",
    settings: layer.with === undefined ? {} : layer.with,
    origin: places.origin(["services", name, "layers", index]),
  }));
}
