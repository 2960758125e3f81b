import { DEFAULT_RESOURCE_LIMITS } from "../../model/defaults.ts";
import { duration, integer, type Key, list, MANY, type ObjectKind, offOr, oneOf, text } from "./kinds.ts";
import { breaker, serviceRetry } from "./schema-policy.ts";
import { use } from "./schema-traffic.ts";

const retryKeyOf = (name: string): Key => serviceRetry.keys[name] as Key;

const resourceRetry: ObjectKind = {
  kind: "object",
  name: "ResourceRetryDocument",
  doc: "Which calls are made again, and how often. Written for the resource itself, it says that repeating any call of it is safe.",
  keys: {
    maxRetries: retryKeyOf("maxRetries"),
    on: {
      doc: "`error`: the function failed. `timeout`: it took longer than `perTryTimeout`.",
      kind: list(oneOf(["error", "timeout"]), 1),
      default: ["error", "timeout"],
    },
    perTryTimeout: { doc: "For one run of the function. At most the timeout.", kind: offOr(duration), default: "off" },
    backoff: retryKeyOf("backoff"),
    budget: retryKeyOf("budget"),
  },
  elsewhere: {
    methods: "a function has no method: give the call `idempotent: true`, or write retry for the resource itself",
    retryAfter: "a function answers with no header",
  },
};

const resourceLimits: ObjectKind = {
  kind: "object",
  name: "ResourceLimitsDocument",
  doc: "How much may be under way; per process. What was given up counts until its function has ended.",
  keys: {
    maxRequests: { doc: "Calls at once.", kind: offOr(integer(1, MANY)), default: DEFAULT_RESOURCE_LIMITS.maxRequests ?? "off" },
    maxPending: {
      doc: "Calls waiting for their turn once `maxRequests` are under way; more are refused.",
      kind: integer(0, MANY),
      default: DEFAULT_RESOURCE_LIMITS.maxPending,
    },
  },
  elsewhere: { maxConnections: "the mesh opens no connection to a resource" },
};

/** A policy by name from the code. */
export const namedPolicy: Key = {
  doc: "A policy of cockatiel or a breaker of opossum that the code gives by this name: `joinMesh({ namedPolicies })`. What it does itself is turned off here: retry, breaker, limits.",
  kind: text("name"),
  absent: "none",
};

const BY_FUNCTION = "give it to the call: mesh.protect(name, fn, { %s })";

export const resource: ObjectKind = {
  kind: "object",
  name: "ResourceDocument",
  doc: "What `mesh.protect(name, fn)` puts a function under. What is not said here comes from `use` and `defaults`.",
  keys: {
    timeout: {
      doc: "From the call until the function's result, over all tries.",
      kind: offOr(duration),
      absent: "none; an inherited deadline still applies",
    },
    retry: { doc: "Which calls are made again. `{}` takes every default.", kind: offOr(resourceRetry), absent: "one try" },
    breaker: { doc: "Stops calls while they fail. `{}` takes every default.", kind: offOr(breaker), default: "off" },
    limits: { doc: "Bounds what is under way.", kind: offOr(resourceLimits), absent: "its defaults" },
    use: {
      ...use,
      doc: "Named policies; what the resource says itself wins over them, they over `defaults`, a later one over an earlier.",
    },
    policy: namedPolicy,
  },
  elsewhere: {
    failure: BY_FUNCTION.replace("%s", "isFailure: (error) => boolean"),
    fallback: BY_FUNCTION.replace("%s", "fallback: (error) => value"),
  },
};

export const layer: ObjectKind = {
  kind: "object",
  name: "LayerDocument",
  doc: "A layer that the code gives by name: `joinMesh({ namedLayers })`. After those that the code gives for every service, in this order.",
  keys: {
    use: { doc: "Its name.", kind: text("name"), required: true },
    at: {
      doc: "`request`: around a call with all its tries; `attempt`: around each try; `inbound`: around the application, in the processes that join as this service.",
      kind: oneOf(["request", "attempt", "inbound"]),
      default: "request",
    },
    with: { doc: "Settings, handed to the code as they are.", kind: { kind: "json" }, absent: "{}" },
  },
};
