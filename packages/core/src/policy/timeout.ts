import { Cancel } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import type { Deadlines } from "../deadlines.ts";
import { formatDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { derive, type MeshRequest } from "../message.ts";
import { LATE_MS } from "../outcome.ts";

interface Time {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * The total: until the last response byte, over all tries. The smallest of the route's, the call's and the inbound request's holds.
 * Always in the stack, because a deadline can be inherited; costs one comparison without one.
 * Everything beneath stops promptly when `request.cancel` is cancelled.
 */
export function deadline(totalMs: number | null, { clock, deadlines }: Time): Layer {
  return (next) => (request) => {
    const { context } = request;
    if (totalMs !== null) context.deadlineAt = Math.min(context.deadlineAt, context.startedAt + totalMs);
    if (context.deadlineAt === Number.POSITIVE_INFINITY) return next(request);
    const now = clock.now();
    if (context.deadlineAt <= now) return Promise.reject(exceeded(request, 0));
    const expire = (lateMs: number) => {
      const attempt = context.attempts.at(-1);
      if (attempt && lateMs > LATE_MS) attempt.wasLate = true;
      context.cancel.cancel(exceeded(request, clock.now() - context.startedAt));
    };
    const pending = deadlines.add(context.deadlineAt - now, expire, now);
    return next(request).then(
      (response) => {
        if (response.body.hasEnded) deadlines.remove(pending);
        else response.body.whenEnd(() => deadlines.remove(pending));
        return response;
      },
      (error) => {
        deadlines.remove(pending);
        throw error;
      },
    );
  };
}

function exceeded(request: MeshRequest, afterMs: number): MeshError {
  const what = `${request.method} ${request.scheme}://${request.authority}`;
  return new MeshError(
    "deadline_exceeded",
    afterMs > 0
      ? `${what}: no complete response within ${formatDuration(Math.round(afterMs))}`
      : `${what}: the deadline had passed before it was sent`,
  );
}

/** One try's time until the response head. What it stops is this try alone. */
export function tryTimeout(timeoutMs: number, { deadlines }: Time): Layer {
  return (next) => (request) => {
    const cancel = new Cancel();
    const follow = (reason: unknown) => cancel.cancel(reason);
    request.cancel.onCancel(follow);
    const pending = deadlines.add(timeoutMs, (lateMs) => {
      if (request.attempt && lateMs > LATE_MS) request.attempt.wasLate = true;
      cancel.cancel(
        new MeshError(
          "attempt_timeout",
          `${request.method} ${request.scheme}://${request.authority}: no response head from ${request.attempt?.endpoint || "any endpoint"} within ${formatDuration(timeoutMs)}`,
        ),
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
