import { formatDuration } from "../../duration.ts";
import { DEFAULT_CONNECT_TIMEOUT_MS } from "../../model/defaults.ts";
import { duration, type Key, type ObjectKind, offOr } from "./kinds.ts";
import { balancer, breaker, limits, outlier, serviceRetry, timeout } from "./schema-policy.ts";
import { failure, fallback, fault, mirrors, whenEmpty } from "./schema-traffic.ts";

/** What a service takes from `defaults` and named policies where it does not say it itself. */
export const policyKeys: Readonly<Record<string, Key>> = {
  balancer: { doc: "How an endpoint is picked.", kind: offOr(balancer), absent: "its defaults" },
  connectTimeout: {
    doc: "Until a connection stands, within the try.",
    kind: duration,
    default: formatDuration(DEFAULT_CONNECT_TIMEOUT_MS),
  },
  timeout: { doc: "Deadlines of a request; a duration alone is the total.", kind: offOr(timeout), default: "off" },
  retry: {
    doc: "What is tried again. `{}` takes every default; `off` turns transparent retries off too.",
    kind: offOr(serviceRetry),
    absent: "transparent retries only: nothing was sent, or a reused connection died before a response byte and the request is idempotent",
  },
  limits: { doc: "Bounds what is under way. `off`: nothing does.", kind: offOr(limits), absent: "its defaults" },
  breaker: { doc: "Protects the service as a whole. `{}` takes every default.", kind: offOr(breaker), default: "off" },
  outlier: { doc: "Ejects failing endpoints.", kind: offOr(outlier), absent: "its defaults" },
  failure: { doc: "Which answers count as failures.", kind: offOr(failure), absent: "its defaults" },
  whenEmpty: { doc: "What happens while no endpoint is known.", kind: offOr(whenEmpty), default: "off" },
  fault: { doc: "Makes some requests slow or fail, on purpose.", kind: offOr(fault), default: "off" },
  mirror: { doc: "Sends copies of some requests elsewhere.", kind: offOr(mirrors), default: "off" },
  fallback: { doc: "Answers in place of some failures.", kind: offOr(fallback), default: "off" },
};

/** `defaults`, and each of `policies`. */
export const policy: ObjectKind = {
  kind: "object",
  name: "PolicyDocument",
  doc: "Policies for whoever inherits them. A policy that is given closer to a request replaces the inherited one as a whole; `off` removes it.",
  keys: Object.fromEntries(Object.entries(policyKeys).map(([name, { doc, kind }]) => [name, { doc, kind, absent: "not said" }])),
  later: ["hedge"],
};
