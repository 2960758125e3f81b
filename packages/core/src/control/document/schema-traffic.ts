import { formatDuration } from "../../duration.ts";
import { DEFAULT_FAILURE, MAX_FAULT_DELAY_MS } from "../../model/defaults.ts";
import {
  type ConditionKind,
  duration,
  FALLBACK_CONDITIONS,
  GRPC_FAILURES,
  integer,
  type Key,
  type ListKind,
  list,
  type MapKind,
  type ObjectKind,
  oneOf,
  percent,
  text,
} from "./kinds.ts";

export const headerValues: MapKind = {
  kind: "map",
  key: "<header>",
  keyFormat: "header to change",
  of: text("header value"),
  foldsCase: true,
};

export const respond: ObjectKind = {
  kind: "object",
  name: "RespondDocument",
  doc: "Answers without asking anybody.",
  keys: {
    status: { doc: "The answer's status.", kind: integer(200, 599), required: true },
    body: { doc: "The answer's text.", kind: text("text"), absent: "empty" },
    json: { doc: "The answer as JSON, with its content type.", kind: { kind: "json" }, absent: "empty" },
    headers: { doc: "The answer's headers.", kind: headerValues, absent: "only the content type" },
  },
  choice: { of: ["body", "json"], required: false },
};

const share: Key = { doc: "The share of requests.", kind: percent, default: 100 };

export const fault: ObjectKind = {
  kind: "object",
  name: "FaultDocument",
  doc: "Faults made on purpose, to see what becomes of them: first the delay, then the abort.",
  keys: {
    delay: {
      doc: "Makes requests slow.",
      kind: {
        kind: "object",
        name: "FaultDelayDocument",
        doc: "A wait before the request is sent.",
        keys: { percent: share, duration: { doc: "How long.", kind: duration, required: true } },
      },
      absent: "none",
    },
    abort: {
      doc: "Makes requests fail.",
      kind: {
        kind: "object",
        name: "FaultAbortDocument",
        doc: "An answer instead of the endpoint's. It is not retried.",
        keys: {
          percent: share,
          status: {
            doc: "The answer's status; a gRPC call ends with what gRPC has for it.",
            kind: integer(200, 599),
            absent: "`grpc` says it",
          },
          grpc: { doc: "What a gRPC call ends with; nothing else is aborted.", kind: oneOf(GRPC_FAILURES), absent: "`status` says it" },
        },
        choice: { of: ["status", "grpc"], required: true },
      },
      absent: "none",
    },
    headers: {
      doc: `Let a request choose its own: \`x-envoy-fault-delay-request\` in milliseconds, at most ${formatDuration(MAX_FAULT_DELAY_MS)}, \`x-envoy-fault-abort-request\`, a status, and \`x-envoy-fault-abort-grpc-request\`, the number of one of gRPC.`,
      kind: { kind: "true" },
      absent: "not listened to",
    },
  },
};

export const mirrors: ListKind = {
  kind: "list",
  of: {
    kind: "object",
    name: "MirrorDocument",
    doc: "A copy of a share of the requests is sent elsewhere, and its answer discarded. It is tried once and delays nothing.",
    keys: {
      service: { doc: "Another service's endpoints.", kind: text("name"), absent: "the route's own service" },
      subset: { doc: "Only the endpoints of this subset.", kind: text("name"), absent: "all endpoints" },
      percent: share,
    },
  },
  atLeast: 1,
  orOne: true,
};

const fallbackCondition: ConditionKind = { kind: "condition", words: FALLBACK_CONDITIONS, minStatus: 400, maxStatus: 599 };

export const fallback: ObjectKind = {
  kind: "object",
  name: "FallbackDocument",
  doc: "What is answered in place of some failures, once tries are used up. Metrics, log and report keep the failure.",
  keys: {
    on: { doc: "Which failures: conditions and statuses, in one list.", kind: list(fallbackCondition, 1), required: true },
    respond: { doc: "This answer.", kind: respond, absent: "no" },
    service: {
      doc: "The answer of another service's endpoints, within the deadline. What may have been acted on is not sent again, unless its method is idempotent or `retry.methods` names it.",
      kind: text("name"),
      absent: "the route's own service, where a subset is named",
    },
    subset: { doc: "Only the endpoints of this subset.", kind: text("name"), absent: "all endpoints" },
  },
  choice: { of: ["respond", "service"], required: false },
};

export const whenEmpty: ObjectKind = {
  kind: "object",
  name: "WhenEmptyDocument",
  doc: "What happens to requests while no endpoint is known.",
  keys: { wait: { doc: "They wait so long for the first one, within their deadline.", kind: duration, required: true } },
};

export const failure: ObjectKind = {
  kind: "object",
  name: "FailureDocument",
  doc: "Which answers count as failures, for breaker, outlier detection and the failure count of each endpoint. Broken connections and timeouts always do.",
  keys: {
    statuses: {
      doc: "Answers with these.",
      kind: list({ kind: "condition", words: ["1xx", "2xx", "3xx", "4xx", "5xx"], minStatus: 100, maxStatus: 599 }),
      default: DEFAULT_FAILURE.statuses,
    },
    grpc: { doc: "gRPC calls that end with these.", kind: list(oneOf(GRPC_FAILURES)), default: DEFAULT_FAILURE.grpc },
    slowerThan: { doc: "Also every answer whose head took longer.", kind: duration, absent: "however slow" },
  },
};

export const use: Key = {
  doc: "Named policies; what the service says itself wins over them, they over `defaults`, a later one over an earlier.",
  kind: { kind: "list", of: text("name"), atLeast: 1, orOne: true },
  absent: "none",
};
