import type { Clock } from "./clock.ts";
import { inboundContext } from "./inbound-context.ts";
import { inboundDeadline } from "./inbound-deadline.ts";
import { countInFlight } from "./inbound-in-flight.ts";
import { requireReady } from "./inbound-ready.ts";
import { answerRefusals } from "./inbound-refusal.ts";
import { compose, type Handler, type Layer } from "./layer.ts";
import type { MeshRequest, MeshResponse } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import { readTraceContext } from "./telemetry/propagation.ts";

/** What the inbound stack is made of. Functions are asked at every request: their answers may change while the process runs. */
export interface InboundDeps {
  readonly clock: Clock;
  /** The policy in force for the service of this process; null: none is known. */
  readonly policy: () => InboundPolicy | null;
  /** Every source has spoken. */
  readonly isReady: () => boolean;
  readonly accessLog: Layer | null;
  readonly metrics: Layer | null;
  readonly span: Layer | null;
  /** The user's own, outermost first; the same array as before if nothing changed. */
  readonly layers: () => readonly Layer[];
  /** Requests being served; counted up and down by the stack. */
  readonly inFlight: { count: number };
}

/** The one way in. Requests are made by `startInbound`; the stack rejects only where the application does or the caller left. */
export function composeInbound(deps: InboundDeps): Handler {
  return compose(
    [
      // Outermost, so that log and metrics below see what refused the request as the error it is.
      answerRefusals,
      // Before all that may take time or refuse: `inspect()` counts what is here, whatever becomes of it.
      countInFlight(deps.inFlight),
      // Above log and span, which read the trace context; everything below runs in the request's scope.
      inboundContext(deps.policy, readTraceContext),
      // Above metrics and span: one line for every request, also for one that a layer below fails.
      deps.accessLog,
      // Above every layer that refuses: a refusal is an outcome.
      deps.metrics,
      // Below log and metrics, which are no part of the work measured; above what the application calls, so that it is their parent.
      deps.span,
      // Before any policy is asked: until every source has spoken the policy in force is unknown, and nothing may fail open.
      requireReady(deps.isReady),
      // Below all that is counted, logged and traced, so that what they refuse is seen; above the policies of the mesh, which they may spare work.
      currentLayers(deps.layers),
      // Before all that costs: nobody waits for a request whose deadline has passed. Sets what calls of the application inherit.
      inboundDeadline(deps.policy, deps.clock),
    ],
    callApplication,
  );
}

/** Put together anew when there are others. */
function currentLayers(layers: () => readonly Layer[]): Layer {
  return (next) => {
    let inForce: readonly Layer[] = [];
    let handler = next;
    // async, so that a layer that throws rejects: what is counted above must be counted down.
    return async (request) => {
      const current = layers();
      if (current !== inForce) {
        inForce = current;
        handler = compose(current, next);
      }
      return handler(request);
    };
  };
}

// async, so that an application that throws rejects.
async function callApplication(request: MeshRequest): Promise<MeshResponse> {
  const { app } = request.context;
  if (!app) throw new TypeError("an inbound request must name the application that answers it");
  return app(request);
}
