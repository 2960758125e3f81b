import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import { MeshError } from "./errors.ts";
import { inboundScope, trustsHeaders } from "./inbound-call.ts";
import type { Handler, Layer } from "./layer.ts";
import { headerValue, type MeshRequest, type MeshResponse, requestName } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import { GRPC_TIMEOUT_HEADER, parseGrpcTimeout } from "./rpc-headers.ts";

/** Envoy's name: how many milliseconds the caller will still wait. */
export const EXPECTED_TIMEOUT_HEADER = "x-envoy-expected-rq-timeout-ms";

// Eight digits are 27 hours: longer is no deadline, and would overflow a timer.
const MILLISECONDS = /^-?\d{1,8}$/;

interface Time {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * Takes up the deadline of a trusted caller: calls made by the application inherit it. A request whose caller has stopped waiting
 * rejects with `deadline_exceeded` before the application does work for nobody. The application itself is never cut, but for a gRPC
 * call, which ends with its deadline.
 */
export function inboundDeadline(policy: InboundPolicy, { clock, deadlines }: Time): Layer {
  return (next) => (request) => {
    if (!trustsHeaders(request, policy)) return next(request);
    const expectedMs = timeLeft(request);
    if (expectedMs === undefined || expectedMs === Number.POSITIVE_INFINITY) return next(request);
    const { context } = request;
    context.deadlineAt = context.startedAt + expectedMs;
    const lateMs = clock.now() - context.deadlineAt;
    if (lateMs >= 0) {
      const message = `serving ${requestName(request)}: the caller's deadline passed ${Math.round(lateMs)} ms before its request was taken up`;
      return Promise.reject(new MeshError("deadline_exceeded", message));
    }
    inboundScope(request).deadlineAt = context.deadlineAt;
    return context.rpc === null ? next(request) : endedAfter(-lateMs, next, request, deadlines);
  };
}

function timeLeft({ headers, context }: MeshRequest): number | undefined {
  if (context.rpc !== null) return parseGrpcTimeout(headerValue(headers, GRPC_TIMEOUT_HEADER));
  return parseExpectedTimeout(headerValue(headers, EXPECTED_TIMEOUT_HEADER));
}

/** The call fails when its deadline passes: before its head instead of an answer, after it in the midst of one. The application is told by `cancel`. */
function endedAfter(remainingMs: number, next: Handler, request: MeshRequest, deadlines: Deadlines): Promise<MeshResponse> {
  return new Promise((resolve, reject) => {
    let answer: MeshResponse | null = null;
    const deadline = deadlines.add(remainingMs, () => {
      const message = `serving ${requestName(request)}: the caller's deadline passed while its call was being served`;
      const passed = new MeshError("deadline_exceeded", message);
      request.cancel.cancel(passed);
      reject(passed);
      answer?.body.abandon(passed);
    });
    const forget = () => deadlines.remove(deadline);
    const answered = (response: MeshResponse) => {
      if (request.cancel.isCancelled) response.body.abandon(request.cancel.reason);
      answer = response;
      response.body.whenEnd(forget);
      resolve(response);
    };
    // async, so that an application that throws rejects.
    const serve = async () => next(request);
    serve().then(answered, (error: unknown) => {
      forget();
      reject(error);
    });
  });
}

/** Milliseconds, which may be negative; undefined for anything that is not a plain integer. */
export function parseExpectedTimeout(value: string | undefined): number | undefined {
  return value !== undefined && MILLISECONDS.test(value) ? Number(value) : undefined;
}
