import type { Clock } from "../clock.ts";
import type { Attempt, AttemptOutcome } from "../context.ts";
import type { Deadlines } from "../deadlines.ts";
import type { EndpointState, Exchange } from "../endpoint/endpoint.ts";
import type { EndpointStates } from "../endpoint/endpoint-set.ts";
import { MeshError } from "../errors.ts";
import type { Handler } from "../layer.ts";
import { type HeaderMap, type MeshRequest, type MeshResponse, nameAt, requestName } from "../message.ts";
import { atEndpoint, outcomeOfError, verdictOf } from "../outcome.ts";
import { withReport } from "../report.ts";
import { GrpcStatus } from "../rpc.ts";
import { endedWith } from "../rpc-answer.ts";
import { grpcPushbackMs } from "../rpc-headers.ts";
import { shortageOf } from "../shortage.ts";
import { type Channel, TransportFailure } from "../transport.ts";
import type { Balancer } from "./balancer.ts";
import type { EndpointSelection } from "./endpoint-filter.ts";

/** The backend's current parts; they change while requests are in flight. */
export interface BalanceTarget {
  readonly name: string;
  readonly endpoints: EndpointStates;
  readonly balancer: Balancer;
  /** Requests handed to a channel and not yet sent; survives changes. */
  pending: number;
  readonly maxPending: number;
  /** The open channel to an endpoint. */
  channel(state: EndpointState, now: number): Channel;
  /** How long the answer asked to be left alone. */
  retryAfterMs(headers: HeaderMap): number;
  /** Why there is no endpoint, for people. */
  emptyBecause(): string;
}

export interface BalanceDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

export interface BalanceOptions {
  /** What the application's filter leaves of the endpoints; null where there is none. */
  readonly selection: EndpointSelection | null;
  /** Nothing between the beginning of a try and its pick can wait: one look at the clock does for both. */
  readonly picksAtOnce: boolean;
}

const NO_OPTIONS: BalanceOptions = { selection: null, picksAtOnce: false };

/** The answer's header by which a server says that it drains. */
export const DRAINING_HEADER = "x-heddle-draining";

/**
 * The end of the stack: picks an endpoint, sends, and keeps the books. Latency is measured to the head, success is known at the end
 * of the body, load ends when the body is released. Whatever happens, what `begin` counted is released exactly once.
 */
export function balance(
  target: BalanceTarget,
  { clock, deadlines }: BalanceDependencies,
  { selection, picksAtOnce }: BalanceOptions = NO_OPTIONS,
): Handler {
  return (request) => {
    const attempt = request.attempt as Attempt;
    const now = picksAtOnce ? attempt.startedAt : clock.now();
    const known = target.endpoints.candidates(now, request.context.attempts);
    if (known.length === 0) return Promise.reject(noEndpoint(target, request));
    const candidates = selection === null ? known : selection(request, known);
    if (candidates instanceof MeshError) return Promise.reject(candidates);
    const state = target.balancer.pick(candidates, request.context.attempts, now);
    attempt.endpoint = state.address;
    const channel = channelOf(target, state, now);
    if (channel instanceof Error) return Promise.reject(channel);
    const overloaded = state.inFlight < channel.connections() ? null : beginWaiting(target, request, attempt);
    if (overloaded) return Promise.reject(overloaded);
    const exchange = state.begin(now);
    return sent(channel, request).then(
      (response) => {
        const headAt = clock.now();
        settleHead(target, request, state, exchange, response, headAt, deadlines);
        watchBody(target, request, state, exchange, response, headAt, { clock, deadlines });
        return response;
      },
      (error) => {
        endWaiting(attempt);
        state.release(exchange);
        throw settleFailure(target, request, state, exchange, error, clock.now(), deadlines);
      },
    );
  };
}

function noEndpoint(target: BalanceTarget, request: MeshRequest): MeshError {
  return new MeshError("no_endpoint", `${nameAt(request, target.name)}: ${target.emptyBecause()}`);
}

/** A transport that throws, against its contract, here or below, fails this request and nothing else. */
function channelOf(target: BalanceTarget, state: EndpointState, now: number): Channel | Error {
  try {
    return target.channel(state, now);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function sent(channel: Channel, request: MeshRequest): Promise<MeshResponse> {
  const { carrier } = request.context;
  try {
    return carrier === null ? channel.send(request) : carrier.send(channel, request);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** No connection is free: counts the request as pending until the transport says that it was sent. An error if too many are. */
function beginWaiting(target: BalanceTarget, request: MeshRequest, attempt: Attempt): MeshError | null {
  if (target.pending >= target.maxPending) {
    return new MeshError(
      "overloaded",
      `${nameAt(request, target.name)}: ${target.pending} requests wait for a connection, limits.maxPending is ${target.maxPending}`,
    );
  }
  target.pending++;
  attempt.onSent = () => {
    attempt.onSent = null;
    target.pending--;
  };
  return null;
}

function endWaiting(attempt: Attempt): void {
  attempt.onSent?.();
}

function settleHead(
  target: BalanceTarget,
  request: MeshRequest,
  state: EndpointState,
  exchange: Exchange,
  response: MeshResponse,
  now: number,
  { eventLoop }: Deadlines,
): void {
  const attempt = request.attempt as Attempt;
  endWaiting(attempt);
  state.sawConnection(attempt.connection);
  attempt.outcome = "response";
  attempt.status = response.status;
  attempt.elapsedMs = now - exchange.startedAt;
  attempt.noteBlocked(eventLoop.blockedMs(now));
  if (request.context.rpc !== null) attempt.grpcStatus = endedWith(response);
  if (attempt.grpcStatus !== null ? isSparing(attempt) : response.status >= 500 || response.status === 429)
    target.balancer.failed?.(state, askedForMs(target, attempt, response), now);
  else target.balancer.succeeded?.(state, Math.max(0, attempt.elapsedMs - attempt.blockedMs), now);
  if (isDraining(response)) target.endpoints.drain(state, now);
  else if (state.drains > 0) target.endpoints.answered(state, exchange.startedAt, now);
}

/** Its endpoint fails, or has enough: the answers of calls that 5xx and 429 are of requests. */
function isSparing(attempt: Attempt): boolean {
  return attempt.grpcStatus === GrpcStatus.RESOURCE_EXHAUSTED || verdictOf(attempt) === "failure";
}

/** How long the answer asks to be left alone. */
function askedForMs(target: BalanceTarget, { grpcStatus }: Attempt, { headers, body }: MeshResponse): number {
  if (grpcStatus === null) return target.retryAfterMs(headers);
  const pushbackMs = grpcPushbackMs(body.trailers) ?? 0;
  return pushbackMs === Number.POSITIVE_INFINITY ? 0 : pushbackMs;
}

/** Where nothing comes between head and end, as of a call that fails at once, what is told is told in trailers. */
function isDraining({ headers, body }: MeshResponse): boolean {
  return headers[DRAINING_HEADER] !== undefined || body.trailers?.[DRAINING_HEADER] !== undefined;
}

function watchBody(
  target: BalanceTarget,
  request: MeshRequest,
  state: EndpointState,
  exchange: Exchange,
  response: MeshResponse,
  headAt: number,
  { clock, deadlines }: BalanceDependencies,
): void {
  const { body } = response;
  const { rpc } = request.context;
  const attempt = request.attempt as Attempt;
  if (body.hasEnded && body.error === null) {
    state.release(exchange);
    target.endpoints.record(state, { isFailure: verdictOf(attempt) === "failure", startedAt: exchange.startedAt, now: headAt });
    return;
  }
  body.translateError((error) => bodyFailure(error, request, state.address, body.isReaderBehind));
  body.whenReleased(() => state.release(exchange));
  if (response.socket) {
    // Its length says nothing about the server: what can be judged is the head, which may also refuse a CONNECT.
    target.endpoints.record(state, { isFailure: verdictOf(attempt) === "failure", startedAt: exchange.startedAt, now: headAt });
    return;
  }
  // Of a call, backpressure holds for as long as its reader likes.
  body.guard(deadlines, rpc === null);
  // A probe is over with a good head: a long body must not keep the endpoint out. How a call of one answer went is soon known.
  if (state.status === "half-open" && (rpc === null || rpc.kind !== "unary") && verdictOf(attempt) === "success") {
    target.endpoints.record(state, { isFailure: false, startedAt: exchange.startedAt, now: headAt });
  }
  body.whenEnd((error) => {
    state.release(exchange);
    if (rpc !== null && error === null) attempt.grpcStatus = endedWith(response);
    if (error !== null && verdictOf(attempt) === "failure") target.balancer.failed?.(state, 0, clock.now());
    else if (attempt.grpcStatus !== null && isSparing(attempt))
      target.balancer.failed?.(state, askedForMs(target, attempt, response), clock.now());
    if (verdictOf(attempt) !== "neutral") {
      target.endpoints.record(state, { isFailure: verdictOf(attempt) === "failure", startedAt: exchange.startedAt, now: clock.now() });
    }
  });
}

/** A body that its reader gave up, or kept waiting until the deadline, says nothing against the endpoint: the answer stands. */
function outcomeOfBody(error: unknown, isCancelled: boolean, isReaderBehind: boolean): AttemptOutcome {
  const outcome = outcomeOfError(error, isCancelled);
  const isReaders = outcome === "failed" || outcome === "cancelled" || (outcome === "deadline" && isReaderBehind);
  return isReaders ? "response" : outcome;
}

/** What fails in the body no longer passes the layer that adds the report. */
function bodyFailure(error: unknown, request: MeshRequest, address: string, isReaderBehind: boolean): unknown {
  const { context, cancel } = request;
  const attempt = request.attempt as Attempt;
  const failure = atEndpoint(error, requestName(request), address);
  // The answer of a try that was repeated is nobody's: what cuts what is left of it, such as the deadline, ends the request elsewhere.
  if (attempt !== context.attempts.at(-1)) return failure;
  attempt.outcome = outcomeOfBody(error, cancel.isCancelled, isReaderBehind);
  noteGrpcStatus(attempt, error);
  if (attempt.outcome !== "response") attempt.why = "the answer had been handed out";
  return withReport(failure, context);
}

/** What gRPC calls what broke the call. */
function noteGrpcStatus(attempt: Attempt, error: unknown): void {
  if (error instanceof TransportFailure) attempt.grpcStatus = error.grpcStatus;
}

function settleFailure(
  target: BalanceTarget,
  request: MeshRequest,
  state: EndpointState,
  exchange: Exchange,
  error: unknown,
  now: number,
  { eventLoop }: Deadlines,
): unknown {
  const attempt = request.attempt as Attempt;
  attempt.elapsedMs = now - exchange.startedAt;
  attempt.outcome = outcomeOfError(error, request.cancel.isCancelled);
  noteGrpcStatus(attempt, error);
  attempt.noteBlocked(eventLoop.blockedMs(now));
  state.sawConnection(attempt.connection);
  if (attempt.outcome === "connect-failure") attempt.shortage = shortageOf(error);
  if (attempt.outcome === "reset" && attempt.reusedConnection) attempt.isOldNews = state.isOldNews(attempt.connection);
  if (verdictOf(attempt) === "failure") {
    target.balancer.failed?.(state, 0, now);
    target.endpoints.record(state, { isFailure: true, startedAt: exchange.startedAt, now });
  } else if (attempt.shortage === "ports") target.balancer.failed?.(state, 0, now);
  else target.balancer.cancelled?.(state, Math.max(0, attempt.elapsedMs - attempt.blockedMs), now);
  return atEndpoint(error, requestName(request), state.address);
}
