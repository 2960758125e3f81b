import type { Deadlines } from "../deadlines.ts";
import { discard } from "../discard.ts";
import { type MeshErrorCode, meshError } from "../errors.ts";
import type { Handler, Layer } from "../layer.ts";
import { derive, type MeshRequest, type MeshResponse, type RequestBody } from "../message.ts";
import { IDEMPOTENT_METHODS } from "../model/defaults.ts";
import type { FallbackCondition } from "../model/route.ts";

/** Where the other answer comes from. */
export interface FallbackAnswer {
  readonly handler: Handler;
  /** The request is sent again, to another backend, and so must be repeatable. null: it is not sent; otherwise what may be repeated beside idempotent methods. */
  readonly repeats: readonly string[] | null;
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
      if (!on.some((condition) => meetsStatus(condition, (response as MeshResponse).status))) return response;
    } catch (error) {
      failure = error;
      if (!on.some((condition) => meetsError(condition, error))) throw error;
    }
    const other = mayAnswer(answer, tried, wasRead()) ? await otherwise(answer, tried, response?.status ?? failure) : null;
    if (other) {
      if (response) discard(response, deadlines);
      return other;
    }
    if (response) return response;
    throw failure;
  };
}

/** null if this failed too. */
async function otherwise({ handler }: FallbackAnswer, request: MeshRequest, original: unknown): Promise<MeshResponse | null> {
  const { context } = request;
  context.outcome = typeof original === "number" ? original : (meshError(original)?.code ?? "failed");
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
  return !wasSent || context.options.idempotent === true || IDEMPOTENT_METHODS.includes(method) || repeats.includes(method);
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

function meetsStatus(condition: FallbackCondition, status: number): boolean {
  return typeof condition === "number" ? condition === status : condition === "5xx" && status >= 500;
}

const NO_ANSWER: readonly MeshErrorCode[] = ["connect_failed", "connection_reset", "attempt_timeout"];

const CODES: Readonly<Record<Extract<FallbackCondition, string>, readonly MeshErrorCode[]>> = {
  "breaker-open": ["breaker_open"],
  "no-endpoint": ["no_endpoint"],
  deadline: ["deadline_exceeded"],
  overloaded: ["overloaded"],
  "connect-failure": ["connect_failed"],
  reset: ["connection_reset"],
  "attempt-timeout": ["attempt_timeout"],
  "5xx": NO_ANSWER,
};

function meetsError(condition: FallbackCondition, error: unknown): boolean {
  const code = typeof condition === "string" ? meshError(error)?.code : undefined;
  return code !== undefined && CODES[condition as Extract<FallbackCondition, string>].includes(code);
}
