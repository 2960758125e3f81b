import { sleep } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import { Attempt } from "../context.ts";
import type { Deadlines } from "../deadlines.ts";
import { discard } from "../discard.ts";
import { meshError } from "../errors.ts";
import { noteRetriedBelow } from "../inbound-call.ts";
import type { Handler, Layer } from "../layer.ts";
import {
  ATTEMPT_COUNT_HEADER,
  copyHeaders,
  derive,
  type HeaderMap,
  type MeshRequest,
  type MeshResponse,
  type RequestBody,
} from "../message.ts";
import type { RetryConfig } from "../model/route.ts";
import { outcomeOfError } from "../outcome.ts";
import type { Random } from "../random.ts";
import { isFailedAtOnce } from "../rpc-answer.ts";
import { formatGrpcTimeout, GRPC_TIMEOUT_HEADER, grpcPushbackMs, PREVIOUS_ATTEMPTS_HEADER } from "../rpc-headers.ts";
import type { Waits } from "../waits.ts";
import { backoffMs } from "./backoff.ts";
import { type Replay, replayOf } from "./replay.ts";
import { decideRetry, type RetryDecision } from "./retry.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface AttemptsDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly waits: Waits;
}

/** A request that is a try: its headers are its own, and what stands beneath may write to them. */
interface Try extends MeshRequest {
  readonly attempt: Attempt;
}

/**
 * The one driver of tries. After each try it asks the retry policy; budget, backoff, replay and the record of attempts are its own.
 * The commit point is the response head, or of a gRPC call that ends with it, its status: what is returned from here is never tried again.
 * `off`: one try, and not even transparent retries. `given`: one try as well; what repeats it stands above, and is not ours.
 * `atOnce`: nothing above can wait, so that the time at which the request began is now.
 */
export function attempts(
  config: RetryConfig | "off" | "given" | null,
  budget: RetryBudget,
  dependencies: AttemptsDependencies,
  atOnce = false,
): Layer {
  const { clock, deadlines } = dependencies;
  return (next) => (request) => {
    const now = atOnce ? request.context.startedAt : clock.now();
    budget.deposit(now);
    if (config === "off" || config === "given" || request.context.options.retry === false) {
      return onlyTry(next, beginTry(request, request.body, now, deadlines), config === "given");
    }
    const replay = replayOf(request.body);
    const first = beginTry(request, replay.next(), now, deadlines);
    const again = (response: MeshResponse | null, failure: unknown) =>
      new Tries(request, config, budget, replay, dependencies).after(first, response, failure, next);
    return next(first).then(
      (response) => (isPlainSuccess(response, request) ? committed(response, replay) : again(response, null)),
      (failure: unknown) => again(null, failure),
    );
  };
}

function onlyTry(next: Handler, only: Try, isGiven: boolean): Promise<MeshResponse> {
  return next(only).then(
    (response) => {
      if (!isPlainSuccess(response, only)) only.attempt.why = whyOnce(only, isGiven);
      return response;
    },
    (error: unknown) => {
      noteFailure(only, error);
      only.attempt.why = whyOnce(only, isGiven);
      throw error;
    },
  );
}

/** Why the only try of a request is its only one. */
function whyOnce({ cancel, context }: MeshRequest, isGiven: boolean): string {
  if (cancel.isCancelled) return whyStopped(cancel.reason);
  if (context.carrier !== null) return "node:http sends it, and only once";
  if (context.options.retry === false) return "the call says retry: false";
  return isGiven ? "left to the named policy" : "retries are off";
}

/** Why there is no other try of a request that was cancelled. */
function whyStopped(reason: unknown): string {
  switch (meshError(reason)?.code) {
    case "deadline_exceeded":
      return "the deadline was over";
    case "attempt_timeout":
      return "the named policy gave up";
    case "closed":
      return "the mesh was closed";
    default:
      return "the caller gave up";
  }
}

/** A new entry in the request's record, and the headers that tell the receiver which try this is and how long it has. */
function beginTry(request: MeshRequest, body: RequestBody, now: number, { eventLoop }: Deadlines, retries = 0): Try {
  const { context } = request;
  const attempt = new Attempt(context.attempts.length + 1, now, eventLoop.blockedMs(now));
  attempt.backend = context.backend;
  context.attempts.push(attempt);
  const headers = copyHeaders(request.headers);
  // What a retry causes further down is part of that retry: told on, so that tries do not multiply hop by hop.
  const count = attempt.number + (context.scope?.isRetry ? 1 : 0);
  if (count > 1) headers[ATTEMPT_COUNT_HEADER] = String(count);
  if (context.rpc !== null) tellCall(headers, context.deadlineAt - now, retries);
  else if (context.deadlineAt !== Number.POSITIVE_INFINITY) {
    headers["x-envoy-expected-rq-timeout-ms"] = String(Math.max(1, Math.floor(context.deadlineAt - now)));
  }
  return derive(request, { attempt, headers, body }) as Try;
}

/** The same in gRPC's words. */
function tellCall(headers: HeaderMap, remainingMs: number, retries: number): void {
  if (remainingMs !== Number.POSITIVE_INFINITY) headers[GRPC_TIMEOUT_HEADER] = formatGrpcTimeout(remainingMs);
  if (retries > 0) headers[PREVIOUS_ATTEMPTS_HEADER] = String(retries);
}

/** Where nothing beneath has said how the try ended. */
function noteFailure({ attempt, cancel }: Try, error: unknown): void {
  if (attempt.outcome === "pending") attempt.outcome = outcomeOfError(error, cancel.isCancelled);
}

/** No retry condition can match these, so the policy need not be asked. */
function isPlainSuccess(response: MeshResponse, { context }: MeshRequest): boolean {
  return response.status < 400 && (context.rpc === null || !isFailedAtOnce(response));
}

function committed(response: MeshResponse, replay: Replay): MeshResponse {
  if (replay.needsClosing) response.body.whenEnd(() => replay.close());
  return response;
}

/** Of a call that ends with its head, trailers are all the headers there are. */
function saysRetriedBelow({ headers, body }: MeshResponse): boolean {
  return headers[ATTEMPT_COUNT_HEADER] !== undefined || body.trailers?.[ATTEMPT_COUNT_HEADER] !== undefined;
}

/** The tries of one request after its first, which did not plainly succeed. */
class Tries {
  readonly #request: MeshRequest;
  readonly #config: RetryConfig | null;
  readonly #budget: RetryBudget;
  readonly #dependencies: AttemptsDependencies;
  readonly #replay: Replay;
  /** Of the next try. Taken as soon as there will be one: what the try before goes on reading must not use it up. */
  #body: RequestBody = null;
  #retries = 0;
  #transparent: string[] | null = null;

  constructor(request: MeshRequest, config: RetryConfig | null, budget: RetryBudget, replay: Replay, dependencies: AttemptsDependencies) {
    this.#request = request;
    this.#config = config;
    this.#budget = budget;
    this.#replay = replay;
    this.#dependencies = dependencies;
  }

  /** What becomes of the request after this try: its answer or its failure, or those of a later one. */
  async after(first: Try, answer: MeshResponse | null, error: unknown, next: Handler): Promise<MeshResponse> {
    let tried = first;
    let response = answer;
    let failure = error;
    for (;;) {
      if (response === null) noteFailure(tried, failure);
      else if (isPlainSuccess(response, tried)) return this.#commit(response);
      if (!(await this.#again(tried.attempt, response))) break;
      tried = beginTry(this.#request, this.#body, this.#dependencies.clock.now(), this.#dependencies.deadlines, this.#retries);
      response = null;
      try {
        response = await next(tried);
      } catch (error) {
        failure = error;
      }
    }
    if (response !== null) return this.#commit(response);
    this.#over();
    throw failure;
  }

  #commit(response: MeshResponse): MeshResponse {
    if (this.#retries > 0) this.#dependencies.waits.end(this.#request.context.cancel);
    return committed(response, this.#replay);
  }

  #over(): void {
    this.#dependencies.waits.end(this.#request.context.cancel);
    this.#replay.close();
  }

  /** Whether there is another try; returns when it is time for it. The response of a try that will be repeated is discarded. */
  async #again(attempt: Attempt, response: MeshResponse | null): Promise<boolean> {
    const { clock, deadlines } = this.#dependencies;
    const { cancel } = this.#request;
    if (cancel.isCancelled) {
      attempt.why = whyStopped(cancel.reason);
      return false;
    }
    const decision = this.#decide(attempt, response);
    attempt.why = decision.why;
    if (decision.kind === "stop") {
      if (decision.isSpent) noteRetriedBelow(this.#request.context.scope);
      return false;
    }
    if (decision.kind === "transparent") {
      this.#transparent ??= [];
      this.#transparent.push(attempt.endpoint);
      this.#body = this.#replay.next();
      return true;
    }
    const waitMs = this.#waitMs(decision.atLeastMs);
    const { deadlineAt, headDeadlineAt } = this.#request.context;
    if (clock.now() + waitMs >= Math.min(deadlineAt, headDeadlineAt)) {
      attempt.why = "no time left for another try";
      return false;
    }
    if (!this.#budget.withdraw(clock.now())) {
      attempt.why = "the retry budget is spent";
      noteRetriedBelow(this.#request.context.scope);
      return false;
    }
    this.#retries++;
    this.#body = this.#replay.next();
    if (response) discard(response, deadlines);
    this.#dependencies.waits.begin(this.#request.context.cancel);
    try {
      await sleep(clock, waitMs, cancel);
    } catch (reason) {
      attempt.why = whyStopped(reason);
      this.#over();
      throw reason;
    }
    return true;
  }

  #decide(attempt: Attempt, response: MeshResponse | null): RetryDecision {
    const { context, method } = this.#request;
    return decideRetry(this.#config, {
      attempt,
      method,
      isRpc: context.rpc !== null,
      isReplayable: this.#replay.isReplayable,
      isDeclaredIdempotent: context.options.idempotent === true,
      isNested: context.scope?.isRetry === true,
      wasRetriedBelow: response !== null && saysRetriedBelow(response),
      retries: this.#retries,
      transparentRetries: this.#transparent?.length ?? 0,
      transparentRetriesHere: this.#transparent?.filter((endpoint) => endpoint === attempt.endpoint).length ?? 0,
      retryAfterMs: response === null ? null : this.#askedToWaitMs(response),
    });
  }

  #askedToWaitMs({ headers, body }: MeshResponse): number | null {
    if (this.#request.context.rpc !== null) return grpcPushbackMs(body.trailers);
    return retryAfterMs(headers, this.#dependencies.clock.wallTime());
  }

  #waitMs(atLeastMs: number): number {
    const { baseMs, maxMs } = (this.#config as RetryConfig).backoff;
    return Math.max(atLeastMs, backoffMs(this.#retries + 1, baseMs, maxMs, this.#dependencies.random));
  }
}
