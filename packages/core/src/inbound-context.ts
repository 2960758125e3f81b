import { runInScope, type TraceContext } from "./context.ts";
import { endInbound, inboundScope, trustsHeaders } from "./inbound-call.ts";
import type { Layer } from "./layer.ts";
import { ATTEMPT_COUNT_HEADER, type HeaderMap, headerValue } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";

const COUNT = /^\d{1,4}$/;

/** Runs everything below in the scope of the request, and ends that scope with the exchange: response complete or caller gone. */
export function inboundContext(policy: () => InboundPolicy | null, readTrace: (headers: HeaderMap) => TraceContext | null): Layer {
  return (next) => (request) => {
    const scope = inboundScope(request);
    const current = policy();
    scope.trace = readTrace(request.headers);
    scope.isRetry = trustsHeaders(request, current) && isRetry(headerValue(request.headers, ATTEMPT_COUNT_HEADER));
    request.context.service = current?.service ?? "";
    const end = () => endInbound(scope);
    request.cancel.onCancel(end);
    return runInScope(scope, () => next(request)).then(
      (response) => {
        response.body.whenEnd(end);
        return response;
      },
      (error: unknown) => {
        end();
        throw error;
      },
    );
  };
}

function isRetry(count: string | undefined): boolean {
  return count !== undefined && COUNT.test(count) && Number(count) > 1;
}
