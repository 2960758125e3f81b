import type { Attempt, AttemptOutcome, AuthorizationNote, RequestContext } from "./context.ts";
import { MeshError } from "./errors.ts";
import type { Layer } from "./layer.ts";
import { type GrpcOutcome, grpcOutcome } from "./model/grpc-status.ts";

/** What happened to one call, as plain data. */
export interface Report {
  readonly service: string;
  readonly route: string;
  readonly backend: string;
  /** The endpoint of the last try. */
  readonly endpoint: string;
  readonly attempts: readonly AttemptReport[];
  /** Where the policies in force came from: file and line, or the source's name. */
  readonly policyFrom: string;
  /** Only if a fallback answered: what it stands in for, a status or an error's code. */
  readonly fallbackFor?: string;
  /** Inbound only: how it was decided whether it may; absent where nothing decides. */
  readonly authorization?: AuthorizationNote;
  readonly tags: Readonly<Record<string, string>>;
}

export interface AttemptReport {
  /** Empty where the try ended before one was picked. */
  readonly endpoint: string;
  /** `200`, `grpc:ok` of a gRPC call that has ended, or how it failed; of an answer whose body broke, how that did. */
  readonly outcome: AttemptOutcome | `${number}` | GrpcOutcome;
  /** Until the head, or until it failed without one; a body that comes later is not in it. */
  readonly ms: number;
  /** Why there was another try, or why there was none; empty if it went well. */
  readonly why: string;
}

/** Where an object of ours keeps the context of its request. Objects of others are marked by {@link rememberContext}. */
export const CONTEXT: unique symbol = Symbol.for("heddle.context");

/** As a constructor: its `this` is the object it is given. */
function itself(object: object): object {
  return object;
}

/**
 * Puts a private field on objects of others: nobody sees it, and it costs a fortieth of a hidden property. Not a WeakMap: an entry per
 * request costs the garbage collector as much as the rest of a request costs us.
 */
class Marked extends (itself as unknown as new (object: object) => object) {
  #context: RequestContext;

  constructor(object: object, context: RequestContext) {
    super(object);
    this.#context = context;
  }

  static mark(object: object, context: RequestContext): void {
    if (#context in object) (object as Marked).#context = context;
    else new Marked(object, context);
  }

  static contextOf(object: object): RequestContext | undefined {
    return #context in object ? (object as Marked).#context : undefined;
  }
}

export function rememberContext(object: object, context: RequestContext): void {
  Marked.mark(object, context);
}

export function contextOf(object: unknown): RequestContext | undefined {
  if (typeof object !== "object" || object === null) return undefined;
  return Marked.contextOf(object) ?? (object as { readonly [CONTEXT]?: RequestContext })[CONTEXT];
}

export function reportOf(context: RequestContext): Report {
  const { attempts } = context;
  return {
    service: context.service,
    route: context.route,
    backend: context.backend,
    endpoint: attempts.at(-1)?.endpoint ?? "",
    attempts: attempts.map((attempt) => ({
      endpoint: attempt.endpoint,
      outcome: outcomeName(attempt),
      ms: Math.round(attempt.elapsedMs * 1000) / 1000,
      why: attempt.why,
    })),
    policyFrom: context.policyFrom,
    ...(context.outcome === null ? {} : { fallbackFor: String(context.outcome) }),
    ...(context.authorization === null ? {} : { authorization: context.authorization }),
    tags: { ...context.scope?.tags, ...context.options.tags },
  };
}

/** Of whatever a call or a request left in somebody's hands: a reply, an error, an inbound message, the status of a gRPC call. */
export function findReport(given: unknown): Report | undefined {
  let current = given;
  // Causes may go round in a circle.
  for (let depth = 0; depth < 16 && typeof current === "object" && current !== null; depth++) {
    const { report, cause, headers, mesh, metadata } = current as Partial<Record<"cause" | "headers" | "mesh" | "metadata", unknown>> & {
      readonly report?: Report;
    };
    const context = contextOf(current) ?? contextOf(headers) ?? contextOf(mesh) ?? contextOf(metadata);
    if (context) return reportOf(context);
    if (report !== undefined) return report;
    current = cause;
  }
  return undefined;
}

/** One vocabulary for error, report, access log and command line. */
export function outcomeName({ outcome, status, grpcStatus }: Attempt): AttemptReport["outcome"] {
  if (outcome !== "response") return outcome;
  return grpcStatus === null ? `${status}` : grpcOutcome(grpcStatus);
}

/** Names the service, and puts the report into every failure of the mesh that leaves it. */
export function failureReport(service: string): Layer {
  return (next) => (request) => {
    request.context.service = service;
    return next(request).catch((error: unknown) => {
      throw withReport(error, request.context);
    });
  };
}

/** A failure of the mesh with what happened to its request: as data, and at the end of its message. Once; other errors stay as they are. */
export function withReport(error: unknown, context: RequestContext): unknown {
  if (error instanceof MeshError && error.report === undefined) {
    error.report = reportOf(context);
    error.message += triedIn(error.report);
  }
  return error;
}

/** Names the service, the route, and each endpoint tried with its outcome. Why a try came to no endpoint is what the message says. */
function triedIn({ service, route, attempts }: Report): string {
  const tries = attempts
    .filter(({ endpoint }) => endpoint !== "")
    .map(({ endpoint, outcome }) => `${endpoint}: ${outcome}`)
    .join(", ");
  return ` (service ${service}${route ? `, route ${route}` : ""}${tries ? `; tried ${tries}` : ""})`;
}
