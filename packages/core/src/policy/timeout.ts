import { Cancel } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import type { DeadlineEntry, Deadlines } from "../deadlines.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { derive, headerValue, type MeshRequest, type MeshResponse, requestName } from "../message.ts";
import type { TimeoutPolicy } from "../model/route.ts";
import { LATE_MS } from "../outcome.ts";

interface Time {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * The total: until the last response byte, over all tries. The smallest of the route's, the call's and the inbound request's holds.
 * It ends with the head of a stream (an event stream, an upgrade), unless the route's own total says that it holds for those too.
 * A number is a total that spares streams. Always in the stack, because a deadline can be inherited; costs one comparison without one.
 * Everything beneath stops promptly when `request.cancel` is cancelled.
 */
export function deadline(timeout: TimeoutPolicy | number | null, time: Time): Layer {
  const policy = typeof timeout === "number" ? { totalMs: timeout, headMs: null, idleMs: null, sparesStreams: true } : timeout;
  const total = totalDeadline(policy?.totalMs ?? null, policy?.sparesStreams === false, time);
  const head = policy === null || policy.headMs === null ? null : headDeadline(policy.headMs, time);
  const idle = policy === null || policy.idleMs === null ? null : idleDeadline(policy.idleMs, time);
  if (head === null && idle === null) return total;
  return (next) => total((head ?? same)((idle ?? same)(next)));
}

const same: Layer = (next) => next;

function totalDeadline(totalMs: number | null, holdsForStreams: boolean, { clock, deadlines }: Time): Layer {
  return (next) => (request) => {
    const { context } = request;
    if (totalMs !== null) context.deadlineAt = Math.min(context.deadlineAt, context.startedAt + totalMs);
    if (context.deadlineAt === Number.POSITIVE_INFINITY) return next(request);
    const now = clock.now();
    if (context.deadlineAt <= now) return Promise.reject(alreadyPast(request));
    const expire = (lateMs: number) => cut(request, lateMs, exceeded(request, totalMs, lateMs));
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
}

/** An answer that is not meant to end: its length says nothing about its server. */
function isStream(request: MeshRequest, { status, headers }: MeshResponse): boolean {
  if (status === 101 || (request.method === "CONNECT" && status >= 200 && status < 300)) return true;
  return headerValue(headers, "content-type")?.startsWith("text/event-stream") === true;
}

function headDeadline(headMs: number, { clock, deadlines }: Time): Layer {
  return (next) => (request) => {
    const { context } = request;
    context.headDeadlineAt = context.startedAt + headMs;
    const now = clock.now();
    if (context.headDeadlineAt <= now) return Promise.reject(alreadyPast(request));
    const tooLate = (lateMs: number) => cut(request, lateMs, missing(request, `response head within ${formatDuration(headMs)}`, lateMs));
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
function watchIdle(request: MeshRequest, response: MeshResponse, idleMs: number, { clock, deadlines }: Time): MeshResponse {
  const { body } = response;
  if (body.hasEnded) return response;
  let movedAt = clock.now();
  let pending: DeadlineEntry | null = null;
  const look = (lateMs: number) => {
    const restMs = body.isHeld ? idleMs : movedAt + idleMs - clock.now();
    if (restMs > 0) pending = deadlines.add(restMs, look);
    else cut(request, lateMs, missing(request, `byte of the response body for ${formatDuration(idleMs)}`, lateMs));
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

function cut({ context }: MeshRequest, lateMs: number, reason: MeshError): void {
  const attempt = context.attempts.at(-1);
  if (attempt && lateMs > LATE_MS) attempt.wasLate = true;
  context.cancel.cancel(reason);
}

function alreadyPast(request: MeshRequest): MeshError {
  return new MeshError("deadline_exceeded", `${requestName(request)}: the deadline had passed before it was sent`);
}

function missing(request: MeshRequest, what: string, lateMs: number): MeshError {
  return new MeshError("deadline_exceeded", `${requestName(request)}: no ${what}${lateWords(lateMs)}`);
}

/** Whose lateness it was, for people. */
function lateWords(lateMs: number): string {
  return lateMs > LATE_MS ? `; noticed ${formatDuration(Math.round(lateMs))} late, because the event loop of this process was blocked` : "";
}

/** Says whose limit it was, unless it is the route's own. */
function exceeded(request: MeshRequest, totalMs: number | null, lateMs: number): MeshError {
  const { startedAt, deadlineAt, options } = request.context;
  const limitMs = deadlineAt - startedAt;
  const isCalls = options.timeout !== undefined && parseDuration(options.timeout) === limitMs;
  const whose = limitMs === totalMs ? "" : isCalls ? " (the call's timeout)" : " (all that was left to the inbound request)";
  const what = request.method === "" ? "result" : "complete response";
  return missing(request, `${what} within ${formatDuration(Math.round(limitMs))}${whose}`, lateMs);
}

/** One try's time until the response head. What it stops is this try alone. */
export function tryTimeout(timeoutMs: number, { deadlines }: Time): Layer {
  return (next) => (request) => {
    const cancel = new Cancel();
    const follow = (reason: unknown) => cancel.cancel(reason);
    request.cancel.onCancel(follow);
    const pending = deadlines.add(timeoutMs, (lateMs) => {
      if (request.attempt && lateMs > LATE_MS) request.attempt.wasLate = true;
      const missing = request.method === "" ? "result" : `response head from ${request.attempt?.endpoint || "any endpoint"}`;
      cancel.cancel(
        new MeshError("attempt_timeout", `${requestName(request)}: no ${missing} within ${formatDuration(timeoutMs)}${lateWords(lateMs)}`),
      );
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
