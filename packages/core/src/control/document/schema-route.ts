import type { Key, Kind, ObjectKind } from "./kinds.ts";
import { boolean, integer, list, MANY, offOr, oneOf, text } from "./kinds.ts";
import { routeRetry, timeout } from "./schema-policy.ts";
import { fallback, fault, headerValues, mirrors, respond, use } from "./schema-traffic.ts";

const not: Key = { doc: "Inverts the result.", kind: boolean, default: false };
const ignoreCase: Key = { doc: "Compares without regard to case.", kind: boolean, default: false };
const regex: Key = { doc: "Matches this RE2 expression as a whole, in linear time.", kind: text("regex") };

const pathMatch: ObjectKind = {
  kind: "object",
  name: "PathMatchDocument",
  doc: "A condition on the path, without the query.",
  keys: {
    exact: { doc: "Is this path.", kind: text("path") },
    prefix: { doc: "Begins with these path elements: `/api` matches `/api` and `/api/x`, not `/apix`.", kind: text("path") },
    suffix: { doc: "Ends so.", kind: text("path text") },
    regex,
    ignoreCase,
    not,
  },
  choice: { of: ["exact", "prefix", "suffix", "regex"], required: true },
};

const stringMatch: ObjectKind = {
  kind: "object",
  name: "StringMatchDocument",
  doc: "A condition on a header, a query parameter or the authority. One that is missing fails it, and passes it with `not`.",
  keys: {
    exact: { doc: "Is this.", kind: text("text") },
    prefix: { doc: "Begins so.", kind: text("text") },
    suffix: { doc: "Ends so.", kind: text("text") },
    regex,
    present: { doc: "Is there; with `not`, is missing.", kind: { kind: "true" } },
    ignoreCase,
    not,
  },
  choice: { of: ["exact", "prefix", "suffix", "regex", "present"], required: true },
};

const methods: Kind = {
  kind: "either",
  scalar: list(text("method"), 1),
  object: {
    kind: "object",
    name: "MethodMatchDocument",
    doc: "A condition on the method, inverted.",
    keys: { not: { doc: "None of these.", kind: list(text("method"), 1), required: true } },
  },
};

const callPart = (name: string, what: string, format: "grpc service" | "grpc method"): ObjectKind => ({
  kind: "object",
  name,
  doc: `A condition on the ${what} of a gRPC call.`,
  keys: { exact: { doc: "Is this.", kind: text(format) }, regex },
  choice: { of: ["exact", "regex"], required: true },
});

const callMatch: ObjectKind = {
  kind: "object",
  name: "CallMatchDocument",
  doc: "A condition on what a gRPC call calls: service, method or both.",
  keys: {
    service: { doc: "With its package.", kind: callPart("CallServiceDocument", "service", "grpc service"), absent: "any" },
    method: { doc: "Without the service.", kind: callPart("CallMethodDocument", "method", "grpc method"), absent: "any" },
  },
};

const match: ObjectKind = {
  kind: "object",
  name: "RouteMatchDocument",
  doc: "Which requests take the route: those for which everything given holds.",
  keys: {
    path: { doc: "Condition on the path.", kind: pathMatch, absent: "any" },
    grpc: { doc: "Condition on service and method of a gRPC call, in place of `path`.", kind: callMatch, absent: "any" },
    methods: { doc: "One of these; with `not`, none of these.", kind: methods, absent: "any" },
    headers: {
      doc: "Conditions on headers, or metadata, by name.",
      kind: { kind: "map", key: "<header>", keyFormat: "header to match", of: stringMatch, foldsCase: true },
      absent: "any",
    },
    query: {
      doc: "Conditions on query parameters, by name.",
      kind: { kind: "map", key: "<parameter>", keyFormat: "query parameter", of: stringMatch },
      absent: "any",
    },
    authority: {
      doc: "Condition on the host the caller named, in lower case, with its port if it named one.",
      kind: stringMatch,
      absent: "any",
    },
  },
  choice: { of: ["path", "grpc"], required: false },
};

const headerEdit: ObjectKind = {
  kind: "object",
  name: "HeaderEditDocument",
  doc: "Applied in this order: set, add, remove. Values are literal.",
  keys: {
    set: { doc: "Replaces what is there.", kind: headerValues, absent: "nothing" },
    add: { doc: "Adds a value to what is there.", kind: headerValues, absent: "nothing" },
    remove: { doc: "Takes headers away.", kind: list(text("header to change")), absent: "nothing" },
  },
};

const headers: ObjectKind = {
  kind: "object",
  name: "HeaderOperationsDocument",
  doc: "Changes to headers on the way.",
  keys: {
    request: { doc: "Before the request is sent.", kind: headerEdit, absent: "unchanged" },
    response: { doc: "Before the caller sees the answer.", kind: headerEdit, absent: "unchanged" },
  },
};

const destination: ObjectKind = {
  kind: "object",
  name: "DestinationDocument",
  doc: "Where a share of a route's requests goes.",
  keys: {
    service: { doc: "Another service's endpoints; its routes are not asked again.", kind: text("name"), absent: "the route's own service" },
    subset: { doc: "Only the endpoints of this subset of the service.", kind: text("name"), absent: "all endpoints" },
    weight: { doc: "Share relative to the others; 0 takes no traffic.", kind: integer(0, MANY), default: 1 },
    headers: { doc: "For requests that go here, after the route's own.", kind: headers, absent: "unchanged" },
  },
};

const regexRewrite: ObjectKind = {
  kind: "object",
  name: "RegexRewriteDocument",
  doc: "Replaces every match in the path, the query left aside.",
  keys: {
    pattern: { doc: "What is replaced, in RE2 syntax.", kind: text("regex"), required: true },
    substitution: { doc: "What is put there.", kind: text("substitution"), required: true },
  },
};

const redirect: ObjectKind = {
  kind: "object",
  name: "RedirectDocument",
  doc: "Answers with a Location; what is not given stays as the caller asked for it, the query too.",
  keys: {
    scheme: { doc: "The new scheme.", kind: oneOf(["http", "https"]), absent: "unchanged" },
    host: { doc: "The new host.", kind: text("host"), absent: "unchanged" },
    port: { doc: "The new port.", kind: integer(1, 65_535), absent: "unchanged" },
    path: { doc: "Replaces the whole path.", kind: text("path"), absent: "unchanged" },
    prefix: { doc: "Replaces what the route's prefix match matched.", kind: text("path"), absent: "unchanged" },
    regex: { doc: "Replaces what an expression matches.", kind: regexRewrite, absent: "unchanged" },
    stripQuery: { doc: "Leaves the query out.", kind: boolean, default: false },
    status: { doc: "307 and 308 keep method and body.", kind: oneOf([301, 302, 303, 307, 308]), default: 302 },
  },
  choice: { of: ["path", "prefix", "regex"], required: false },
};

const rewrite: ObjectKind = {
  kind: "object",
  name: "RewriteDocument",
  doc: "Changes what the endpoint is asked for.",
  keys: {
    prefix: { doc: "Replaces what the route's prefix match matched.", kind: text("path"), absent: "unchanged" },
    path: { doc: "Replaces the whole path; the query stays.", kind: text("path"), absent: "unchanged" },
    regex: { doc: "Replaces what an expression matches.", kind: regexRewrite, absent: "unchanged" },
    authority: { doc: "The host header the endpoint sees.", kind: text("authority"), absent: "unchanged" },
  },
  choice: { of: ["prefix", "path", "regex"], required: false },
};

export const route: ObjectKind = {
  kind: "object",
  name: "RouteDocument",
  doc: "What happens to some of a service's requests.",
  keys: {
    name: { doc: "For reports, logs and metrics.", kind: text("route name"), absent: "`<service>/<index>`" },
    match: { doc: "Which requests take it.", kind: match, absent: "all" },
    to: { doc: "Where they go, by weight.", kind: list(destination, 1), absent: "the service itself" },
    redirect: { doc: "Sends the caller elsewhere.", kind: redirect, absent: "no" },
    respond: { doc: "Answers at once.", kind: respond, absent: "no" },
    timeout: { doc: "Replaces the service's.", kind: offOr(timeout), absent: "the service's" },
    retry: { doc: "Replaces the service's. `off` turns transparent retries off too.", kind: offOr(routeRetry), absent: "the service's" },
    rewrite: { doc: "Path and host as the endpoint sees them.", kind: rewrite, absent: "unchanged" },
    headers: { doc: "Changes to headers.", kind: headers, absent: "unchanged" },
    fault: { doc: "Makes some requests slow or fail, on purpose. Replaces the service's.", kind: offOr(fault), absent: "the service's" },
    mirror: { doc: "Sends copies of some requests elsewhere. Replaces the service's.", kind: offOr(mirrors), absent: "the service's" },
    fallback: { doc: "Answers in place of some failures. Replaces the service's.", kind: offOr(fallback), absent: "the service's" },
    use: {
      ...use,
      doc: "Named policies; what the route says itself wins over them, they over the service's, a later one over an earlier.",
    },
  },
  later: ["hedge"],
  choice: { of: ["to", "redirect", "respond"], required: false },
};

export const routes: Kind = list(route);
