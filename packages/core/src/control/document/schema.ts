import { boolean, integer, type Kind, list, type ObjectKind, offOr, oneOf, text } from "./kinds.ts";
import { policy, policyKeys } from "./schema-inherited.ts";
import { balancer, breaker, limits, outlier } from "./schema-policy.ts";
import { layer, namedPolicy, resource } from "./schema-resource.ts";
import { routes } from "./schema-route.ts";
import { identities, identityKeys, inbound, tls } from "./schema-security.ts";
import { failure, use, whenEmpty } from "./schema-traffic.ts";

/** The version of the native document that this package reads. */
export const API_VERSION = "heddle/v1";

const labels: Kind = { kind: "map", key: "<label>", keyFormat: "label", of: text("label") };

const endpoint: ObjectKind = {
  kind: "object",
  name: "EndpointDocument",
  doc: "One process of a service, or with `dns` as many as a name leads to.",
  keys: {
    address: { doc: "Where it listens.", kind: text("address"), absent: "`dns` or `unix` says it" },
    dns: {
      doc: "A name of which every A and AAAA answer is an endpoint; or `_service._proto.name`, whose SRV records give ports and weights (only those of the lowest priority are used).",
      kind: text("dns name"),
      absent: "`address` or `unix` says it",
    },
    unix: { doc: "The path of the unix socket it listens on.", kind: text("socket path"), absent: "`address` or `dns` says it" },
    labels: { doc: "What subsets select by.", kind: labels, absent: "none" },
    weight: { doc: "Share relative to the other endpoints.", kind: integer(1, 65_535), default: 1 },
  },
  later: ["zone", "region", "priority", "health"],
  choice: { of: ["address", "dns", "unix"], required: true },
};

const subset: ObjectKind = {
  kind: "object",
  name: "SubsetDocument",
  doc: "Some of a service's endpoints, with a state of their own. A policy given here replaces the service's as a whole.",
  keys: {
    labels: { doc: "Selects the endpoints that have all of these.", kind: { ...labels, atLeast: 1 }, required: true },
    balancer: { doc: "How an endpoint is picked.", kind: offOr(balancer), absent: "the service's" },
    outlier: { doc: "Ejects failing endpoints.", kind: offOr(outlier), absent: "the service's" },
    breaker: { doc: "Protects the subset as a whole.", kind: offOr(breaker), absent: "the service's" },
    limits: { doc: "Bounds what is under way.", kind: offOr(limits), absent: "the service's" },
    failure: { doc: "Which answers count as failures.", kind: offOr(failure), absent: "the service's" },
    whenEmpty: { doc: "What happens while no endpoint is known.", kind: offOr(whenEmpty), absent: "the service's" },
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
    protocol: { doc: "What its endpoints speak.", kind: oneOf(["http1", "http2", "grpc"]), default: "http1" },
    endpoints: { doc: "Where its processes listen.", kind: list(endpoint), absent: "none" },
    subsets: {
      doc: "Named parts of the endpoints.",
      kind: { kind: "map", key: "<subset>", keyFormat: "name", of: subset },
      absent: "none",
    },
    ...policyKeys,
    use,
    routes: { doc: "The first one that matches is taken; none given: everything to the service itself.", kind: routes, absent: "none" },
    layers: { doc: "Layers of the application's own, outermost first.", kind: list(layer), absent: "none" },
    policy: namedPolicy,
    identities,
    tls: {
      doc: "How its endpoints are spoken to.",
      kind: tls,
      absent: "mutual where this process has an identity, disable where it has none",
    },
    inbound: { doc: "Enforced in the processes that join as this service.", kind: inbound, absent: "its defaults" },
  },
  later: ["slowStart", "healthCheck", "hedge"],
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
          ...identityKeys,
        },
      },
      absent: "its defaults",
    },
    defaults: { doc: "For every service. A key given there replaces it as a whole.", kind: policy, absent: "none" },
    policies: {
      doc: "Named once, taken by `use`.",
      kind: { kind: "map", key: "<policy>", keyFormat: "name", of: policy },
      absent: "none",
    },
    services: { doc: "By name.", kind: { kind: "map", key: "<name>", keyFormat: "name", of: service }, absent: "none" },
    resources: {
      doc: "By name: what functions of the process call.",
      kind: { kind: "map", key: "<resource>", keyFormat: "name", of: resource },
      absent: "none",
    },
  },
};
