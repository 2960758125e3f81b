import { Cancel } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import type { Attempt } from "../context.ts";
import type { DeadlineEntry, Deadlines } from "../deadlines.ts";
import { durationMs, formatDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import { LATE_MS } from "../event-loop.ts";
import type { Handler, Layer } from "../layer.ts";
import { derive, headerValue, type MeshRequest, type MeshResponse, requestName } from "../message.ts";
import type { TimeoutPolicy } from "../model/route.ts";

interface Time {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * The total: until the last response byte, over all tries. The smallest of the route's, the call's and the inbound request's holds.
 * It ends with the head of a stream (an event stream, an upgrade), unless the route's own total says that it holds for those too.
 * Of a gRPC call that streams, the route's alone ends there, and is not told to the server: the caller's is the deadline of the call.
 * A number is a total that spares streams. Always in the stack, because a deadline can be inherited; costs one comparison without one.
 * Everything beneath stops promptly when `request.cancel` is cancelled.
 * `atOnce`: nothing above can wait, so that the time at which the request began is now.
 */
export function deadline(timeout: TimeoutPolicy | number | null, time: Time, atOnce = false): Layer {
  const policy = typeof timeout === "number" ? { totalMs: timeout, headMs: null, idleMs: null, sparesStreams: true } : timeout;
  const total = totalDeadline(policy?.totalMs ?? null, policy?.sparesStreams === false, time, atOnce);
  const head = policy === null || policy.headMs === null ? null : headDeadline(policy.headMs, time);
  const idle = policy === null || policy.idleMs === null ? null : idleDeadline(policy.idleMs, time);
  if (head === null && idle === null) return total;
  return (next) => total((head ?? same)((idle ?? same)(next)));
}

const same: Layer = (next) => next;

function totalDeadline(totalMs: number | null, holdsForStreams: boolean, time: Time, atOnce: boolean): Layer {
  const { clock, deadlines } = time;
  return (next) => {
    let streamed: Handler | null = null;
    const whole: Handler = (request) => {
      const { context } = request;
      if (totalMs !== null && !holdsForStreams && context.rpc !== null && context.rpc.kind !== "unary") {
        streamed ??= totalDeadline(null, false, time, atOnce)(headDeadline(totalMs, time)(next));
        return streamed(request);
      }
      if (totalMs !== null) context.deadlineAt = Math.min(context.deadlineAt, context.startedAt + totalMs);
      if (context.deadlineAt === Number.POSITIVE_INFINITY) return next(request);
      const now = atOnce ? context.startedAt : clock.now();
      if (context.deadlineAt <= now) return Promise.reject(alreadyPast(request));
      const expire = (lateMs: number) => cut(request, exceeded(request, totalMs), lateMs, time);
      let pending = deadlines.add(context.deadlineAt - now, expire, now);
      const forget = () => deadlines.remove(pending);
      return next(request).then(
        (response) => {
          if (isStream(request, response)) {
            forget();
            context.deadlineAt = totalMs !== null && holdsForStreams ? context.startedAt + totalMs : Number.POSITIVE_INFINITY;
            if (context.deadlineAt === Number.POSITIVE_INFINITY) return response;
            pending = deadlines.add(context.deadlineAt - clock.now(), expire);
          }
          if (response.body.hasEnded) forget();
          else response.body.whenEnd(forget);
          return response;
        },
        (error) => {
          forget();
          throw error;
        },
      );
    };
    return whole;
  };
}

/** An answer that is not meant to end: its length says nothing about its server. */
function isStream(request: MeshRequest, { status, headers }: MeshResponse): boolean {
  if (status === 101 || (request.method === "CONNECT" && status >= 200 && status < 300)) return true;
  return headerValue(headers, "content-type")?.startsWith("text/event-stream") === true;
}

function headDeadline(headMs: number, time: Time): Layer {
  const { clock, deadlines } = time;
  return (next) => (request) => {
    const { context } = request;
    context.headDeadlineAt = Math.min(context.headDeadlineAt, context.startedAt + headMs);
    const now = clock.now();
    if (context.headDeadlineAt <= now) return Promise.reject(alreadyPast(request));
    const tooLate = (lateMs: number) => cut(request, `response head within ${formatDuration(headMs)}`, lateMs, time);
    const pending = deadlines.add(context.headDeadlineAt - now, tooLate, now);
    return next(request).finally(() => deadlines.remove(pending));
  };
}

function idleDeadline(idleMs: number, time: Time): Layer {
  // Of a pipe, and of what node:http itself reads, the mesh does not see the bytes: silence could not be told from traffic.
  const isSeen = (request: MeshRequest, response: MeshResponse) => response.socket === undefined && request.context.carrier === null;
  return (next) => (request) =>
    next(request).then((response) => (isSeen(request, response) ? watchIdle(request, response, idleMs, time) : response));
}

/** One entry that looks, when it fires, whether anything has moved since: nothing is done for a chunk but to note the time. */
function watchIdle(request: MeshRequest, response: MeshResponse, idleMs: number, time: Time): MeshResponse {
  const { clock, deadlines } = time;
  const { body } = response;
  if (body.hasEnded) return response;
  let movedAt = clock.now();
  let pending: DeadlineEntry | null = null;
  const look = (lateMs: number) => {
    const restMs = body.isHeld ? idleMs : movedAt + idleMs - clock.now();
    if (restMs > 0) pending = deadlines.add(restMs, look);
    else cut(request, `byte of the response body for ${formatDuration(idleMs)}`, lateMs, time);
  };
  pending = deadlines.add(idleMs, look);
  body.whenMoved(() => {
    movedAt = clock.now();
  });
  body.whenEnd(() => {
    if (pending) deadlines.remove(pending);
  });
  return response;
}

function cut(request: MeshRequest, missing: string, lateMs: number, time: Time): void {
  const { context } = request;
  const held = heldUp(context.attempts.at(-1) ?? null, lateMs, time);
  context.cancel.cancel(new MeshError("deadline_exceeded", `${requestName(request)}: no ${missing}${held}`));
}

/**
 * Notes whose fault it was that a try ran out of time: this process's, if it noticed late or was blocked for most of it. Returns what
 * to tell people of it.
 */
function heldUp(attempt: Attempt | null, lateMs: number, { clock, deadlines }: Time): string {
  const now = clock.now();
  attempt?.noteBlocked(deadlines.eventLoop.blockedMs(now));
  if (lateMs > LATE_MS) {
    if (attempt) attempt.wasLate = true;
    return `; noticed ${formatDuration(Math.round(lateMs))} late, because the event loop of this process was blocked`;
  }
  if (attempt === null || attempt.blockedMs * 2 <= now - attempt.startedAt) return "";
  attempt.wasLate = true;
  return `; the event loop of this process was blocked for ${formatDuration(Math.round(attempt.blockedMs))} of that`;
}

function alreadyPast(request: MeshRequest): MeshError {
  return new MeshError("deadline_exceeded", `${requestName(request)}: the deadline had passed before it was sent`);
}

/** Says whose limit it was, unless it is the route's own. The same sums as where the deadline was set: differences would be off by a hair. */
function exceeded(request: MeshRequest, totalMs: number | null): string {
  const { startedAt, deadlineAt, options } = request.context;
  const isRoutes = totalMs !== null && deadlineAt === startedAt + totalMs;
  const isCalls = options.timeout !== undefined && deadlineAt === startedAt + durationMs(options.timeout, "timeout");
  const whose = isRoutes ? "" : isCalls ? " (the call's timeout)" : " (all that was left to the inbound request)";
  const what = request.method === "" ? "result" : "complete response";
  return `${what} within ${formatDuration(Math.round(deadlineAt - startedAt))}${whose}`;
}

/** One try's time until the response head. What it stops is this try alone. */
export function tryTimeout(timeoutMs: number, time: Time): Layer {
  const { deadlines } = time;
  return (next) => (request) => {
    const cancel = new Cancel();
    const follow = (reason: unknown) => cancel.cancel(reason);
    request.cancel.onCancel(follow);
    const pending = deadlines.add(timeoutMs, (lateMs) => {
      const missing = request.method === "" ? "result" : `response head from ${request.attempt?.endpoint || "any endpoint"}`;
      const held = heldUp(request.attempt, lateMs, time);
      cancel.cancel(new MeshError("attempt_timeout", `${requestName(request)}: no ${missing} within ${formatDuration(timeoutMs)}${held}`));
    });
    return next(derive(request, { cancel })).then(
      (response) => {
        deadlines.remove(pending);
        if (response.body.hasEnded) request.cancel.offCancel(follow);
        else response.body.whenEnd(() => request.cancel.offCancel(follow));
        return response;
      },
      (error) => {
        deadlines.remove(pending);
        request.cancel.offCancel(follow);
        throw error;
      },
    );
  };
}
