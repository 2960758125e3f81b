import type { Clock } from "./clock.ts";
import { MeshError } from "./errors.ts";
import { inboundScope, trustsHeaders } from "./inbound-call.ts";
import type { Layer } from "./layer.ts";
import { headerValue } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";

/** Envoy's name: how many milliseconds the caller will still wait. */
export const EXPECTED_TIMEOUT_HEADER = "x-envoy-expected-rq-timeout-ms";

// Eight digits are 27 hours: longer is no deadline, and would overflow a timer.
const MILLISECONDS = /^-?\d{1,8}$/;

/**
 * Takes up the deadline of a trusted caller: calls made by the application inherit it. A request whose caller has stopped waiting
 * rejects with `deadline_exceeded` before the application does work for nobody. The application itself is never cut.
 */
export function inboundDeadline(policy: InboundPolicy, clock: Clock): Layer {
  return (next) => (request) => {
    if (!trustsHeaders(request, policy)) return next(request);
    const expectedMs = parseExpectedTimeout(headerValue(request.headers, EXPECTED_TIMEOUT_HEADER));
    if (expectedMs === undefined) return next(request);
    const { context } = request;
    context.deadlineAt = context.startedAt + expectedMs;
    const lateMs = clock.now() - context.deadlineAt;
    if (lateMs >= 0) {
      const message = `serving ${request.method} ${request.authority}: the caller's deadline passed ${Math.round(lateMs)} ms before its request was taken up`;
      return Promise.reject(new MeshError("deadline_exceeded", message));
    }
    inboundScope(request).deadlineAt = context.deadlineAt;
    return next(request);
  };
}

/** Milliseconds, which may be negative; undefined for anything that is not a plain integer. */
export function parseExpectedTimeout(value: string | undefined): number | undefined {
  return value !== undefined && MILLISECONDS.test(value) ? Number(value) : undefined;
}
