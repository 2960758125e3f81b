import { formatDuration } from "../../duration.ts";
import { DEFAULT_CONNECT_TIMEOUT_MS } from "../../model/defaults.ts";
import { boolean, duration, integer, type Kind, list, type ObjectKind, offOr, oneOf, text } from "./kinds.ts";
import { balancer, breaker, limits, outlier, serviceRetry, timeout } from "./schema-policy.ts";
import { routes } from "./schema-route.ts";

/** The version of the native document that this package reads. */
export const API_VERSION = "heddle/v1";

const labels: Kind = { kind: "map", key: "<label>", keyFormat: "label", of: text("label") };

const endpoint: ObjectKind = {
  kind: "object",
  name: "EndpointDocument",
  doc: "One process of a service.",
  keys: {
    address: { doc: "Where it listens.", kind: text("address"), required: true },
    labels: { doc: "What subsets select by.", kind: labels, absent: "none" },
    weight: { doc: "Share relative to the other endpoints.", kind: integer(1, 65_535), default: 1 },
  },
  later: ["dns", "unix", "zone", "region", "priority", "health"],
};

const subset: ObjectKind = {
  kind: "object",
  name: "SubsetDocument",
  doc: "Some of a service's endpoints, with a state of their own. A policy given here replaces the service's as a whole.",
  keys: {
    labels: { doc: "Selects the endpoints that have all of these.", kind: { ...labels, atLeast: 1 }, required: true },
    balancer: { doc: "How an endpoint is picked.", kind: balancer, absent: "the service's" },
    outlier: { doc: "Ejects failing endpoints.", kind: offOr(outlier), absent: "the service's" },
    breaker: { doc: "Protects the subset as a whole.", kind: offOr(breaker), absent: "the service's" },
    limits: { doc: "Bounds what is under way.", kind: limits, absent: "the service's" },
  },
};

const service: ObjectKind = {
  kind: "object",
  name: "ServiceDocument",
  doc: "One service. Without endpoints (`web: {}`) it is a name to join as.",
  keys: {
    hosts: {
      doc: "The hosts of URLs that mean this service. A claim without a port matches every port.",
      kind: list(text("host claim"), 1),
      absent: "the service's name",
    },
    protocol: { doc: "What its endpoints speak.", kind: oneOf(["http1"], ["http2", "grpc"]), default: "http1" },
    endpoints: { doc: "Where its processes listen.", kind: list(endpoint), absent: "none" },
    subsets: {
      doc: "Named parts of the endpoints.",
      kind: { kind: "map", key: "<subset>", keyFormat: "name", of: subset },
      absent: "none",
    },
    balancer: { doc: "How an endpoint is picked.", kind: balancer, absent: "its defaults" },
    connectTimeout: {
      doc: "Until a connection stands, within the try.",
      kind: duration,
      default: formatDuration(DEFAULT_CONNECT_TIMEOUT_MS),
    },
    timeout: { doc: "Deadlines of a request; a duration alone is the total.", kind: offOr(timeout), default: "off" },
    retry: {
      doc: "What is tried again. `{}` takes every default; `off` turns transparent retries off too.",
      kind: offOr(serviceRetry),
      absent:
        "transparent retries only: nothing was sent, or a reused connection died before a response byte and the request is idempotent",
    },
    limits: { doc: "Bounds what is under way.", kind: limits, absent: "its defaults" },
    breaker: { doc: "Protects the service as a whole. `{}` takes every default.", kind: offOr(breaker), default: "off" },
    outlier: { doc: "Ejects failing endpoints.", kind: offOr(outlier), absent: "its defaults" },
    routes: { doc: "The first one that matches is taken; none given: everything to the service itself.", kind: routes, absent: "none" },
    tls: {
      doc: "How its endpoints are spoken to.",
      kind: {
        kind: "object",
        name: "TlsDocument",
        doc: "Encryption towards the endpoints.",
        keys: { mode: { doc: "`disable`: plain text.", kind: oneOf(["disable"], ["simple", "mutual"]), required: true } },
      },
      absent: "disable",
    },
    inbound: {
      doc: "Enforced in the processes that join as this service.",
      kind: {
        kind: "object",
        name: "InboundDocument",
        doc: "What a process of the service demands of its callers.",
        keys: { mtls: { doc: "`disable`: plain text.", kind: oneOf(["disable"], ["strict", "permissive"]), default: "disable" } },
        later: ["jwt", "authorize", "rateLimit", "quota", "shed"],
      },
      absent: "its defaults",
    },
  },
  later: [
    "identities",
    "slowStart",
    "whenEmpty",
    "healthCheck",
    "failure",
    "layers",
    "policy",
    "use",
    "hedge",
    "fallback",
    "fault",
    "mirror",
  ],
};

/** The native document: the one description that its types, JSON Schema, checks and reference are made from. */
export const DOCUMENT: ObjectKind = {
  kind: "object",
  name: "MeshDocument",
  doc: "Services and how they call each other.",
  keys: {
    $schema: { doc: "For editors; not read.", kind: text("text"), absent: "none" },
    apiVersion: { doc: "The version of this format.", kind: oneOf([API_VERSION]), required: true },
    mesh: {
      doc: "What holds for the mesh as a whole.",
      kind: {
        kind: "object",
        name: "MeshSettingsDocument",
        doc: "What holds for the mesh as a whole.",
        keys: {
          egress: {
            doc: "What happens to hosts that no service claims: they go straight out, or fail with `unknown_service`.",
            kind: oneOf(["allow", "deny"]),
            default: "allow",
          },
          trustHeaders: {
            doc: "Believe deadline and attempt headers of callers that are not authenticated.",
            kind: boolean,
            default: false,
          },
        },
        later: ["identityTemplate", "trustDomain"],
      },
      absent: "its defaults",
    },
    services: { doc: "By name.", kind: { kind: "map", key: "<name>", keyFormat: "name", of: service }, absent: "none" },
  },
  later: ["defaults", "policies", "resources"],
};
