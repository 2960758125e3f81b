import type { Deadlines } from "../deadlines.ts";
import { discard } from "../discard.ts";
import { type MeshErrorCode, meshError } from "../errors.ts";
import type { Handler, Layer } from "../layer.ts";
import { derive, type MeshRequest, type MeshResponse, type RequestBody } from "../message.ts";
import { IDEMPOTENT_METHODS } from "../model/defaults.ts";
import { grpcOutcome, isGrpcOutcome } from "../model/grpc-status.ts";
import type { FallbackCondition, GrpcCondition } from "../model/route.ts";
import { GrpcStatus } from "../rpc.ts";
import { endedWith, isFailedAtOnce } from "../rpc-answer.ts";

/** What may be repeated beside idempotent methods, although it may have been acted on. */
export interface Repeats {
  readonly methods: readonly string[];
  /** gRPC calls. */
  readonly calls: boolean;
}

/** Where the other answer comes from. */
export interface FallbackAnswer {
  readonly handler: Handler;
  /** The request is sent again, to another backend, and so must be repeatable. null: it is not sent. */
  readonly repeats: Repeats | null;
}

/**
 * Answers in place of certain failures. Above the deadline, so that it can answer when that has passed. How the request really went
 * stays in counters, log and report (`context.outcome`). If the other answer fails too, the first failure is what the caller gets.
 */
export function fallback(on: readonly FallbackCondition[], answer: FallbackAnswer, deadlines: Deadlines): Layer {
  return (next) => async (request) => {
    const { body, wasRead } = watched(request.body);
    const tried = body === request.body ? request : derive(request, { body });
    let response: MeshResponse | null = null;
    let failure: unknown = null;
    try {
      response = await next(tried);
      if (!on.some((condition) => meetsAnswer(condition, tried, response as MeshResponse))) return response;
    } catch (error) {
      failure = error;
      if (!on.some((condition) => meetsError(condition, tried, error))) throw error;
    }
    const other = mayAnswer(answer, tried, wasRead()) ? await otherwise(answer, tried, outcomeOf(tried, response, failure)) : null;
    if (other) {
      if (response) discard(response, deadlines);
      return other;
    }
    if (response) return response;
    throw failure;
  };
}

/** What the other answer stands in for. */
function outcomeOf({ context }: MeshRequest, response: MeshResponse | null, failure: unknown): number | string {
  if (response === null) return meshError(failure)?.code ?? "failed";
  const grpcStatus = context.rpc === null ? null : endedWith(response);
  return grpcStatus === null ? response.status : grpcOutcome(grpcStatus);
}

/** null if this failed too. */
async function otherwise({ handler }: FallbackAnswer, request: MeshRequest, outcome: number | string): Promise<MeshResponse | null> {
  const { context } = request;
  context.outcome = outcome;
  try {
    return await handler(request);
  } catch {
    // The failure that the caller is told of is the first one; the tries of both are in the report.
    context.outcome = null;
    return null;
  }
}

/** What may have been acted on is sent a second time only where that is safe (RFC 9110 9.2.2), or somebody said that it is. */
function mayAnswer({ repeats }: FallbackAnswer, { method, context }: MeshRequest, wasRead: boolean): boolean {
  if (repeats === null) return true;
  if (wasRead) return false;
  const wasSent = context.attempts.some((attempt) => attempt.wasSent);
  if (!wasSent || context.options.idempotent === true) return true;
  return context.rpc === null ? IDEMPOTENT_METHODS.includes(method) || repeats.methods.includes(method) : repeats.calls;
}

/** Notices whether a stream was begun: what was read of it is gone. */
function watched(body: RequestBody): { readonly body: RequestBody; wasRead(): boolean } {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return { body, wasRead: () => false };
  let isRead = false;
  const watching: RequestBody = {
    [Symbol.asyncIterator]() {
      isRead = true;
      return body[Symbol.asyncIterator]();
    },
  };
  return { body: watching, wasRead: () => isRead };
}

function meetsAnswer(condition: FallbackCondition, { context }: MeshRequest, response: MeshResponse): boolean {
  const { status } = response;
  if (isGrpcOutcome(condition))
    return context.rpc !== null && isFailedAtOnce(response) && condition === grpcOutcome(endedWith(response) ?? GrpcStatus.OK);
  return typeof condition === "number" ? condition === status : condition === "5xx" && status >= 500;
}

const NO_ANSWER: readonly MeshErrorCode[] = ["connect_failed", "connection_reset", "attempt_timeout"];

const CODES: Readonly<Record<Exclude<FallbackCondition, number | GrpcCondition>, readonly MeshErrorCode[]>> = {
  "breaker-open": ["breaker_open"],
  "no-endpoint": ["no_endpoint"],
  deadline: ["deadline_exceeded"],
  overloaded: ["overloaded"],
  "connect-failure": ["connect_failed"],
  reset: ["connection_reset"],
  "attempt-timeout": ["attempt_timeout"],
  "5xx": NO_ANSWER,
};

function meetsError(condition: FallbackCondition, { context }: MeshRequest, error: unknown): boolean {
  const failure = meshError(error);
  if (failure === undefined || typeof condition === "number") return false;
  if (!isGrpcOutcome(condition)) return CODES[condition].includes(failure.code);
  return context.rpc !== null && condition === grpcOutcome(failure.grpcStatus);
}
