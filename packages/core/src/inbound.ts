import { authorize } from "./authorization/authorize.ts";
import type { AuthorizationCounters } from "./authorization/counters.ts";
import { identityHeaders } from "./authorization/identity-headers.ts";
import { normalPath } from "./authorization/normal-path.ts";
import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import { MeshError } from "./errors.ts";
import { inboundContext } from "./inbound-context.ts";
import { inboundDeadline } from "./inbound-deadline.ts";
import { countInFlight } from "./inbound-in-flight.ts";
import { requireCurrent, requirePeer } from "./inbound-peer.ts";
import { requireReady } from "./inbound-ready.ts";
import { answerRefusals } from "./inbound-refusal.ts";
import { compose, type Handler, type Layer } from "./layer.ts";
import { type MeshRequest, type MeshResponse, requestName } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import { readTraceContext } from "./telemetry/propagation.ts";

/** What the inbound stack is made of. Functions are asked at every request: their answers may change while the process runs. */
export interface InboundDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The policy in force for the service of this process, the same object until it changes; null: none is known. */
  readonly policy: () => InboundPolicy | null;
  /** Every source has spoken. */
  readonly isReady: () => boolean;
  readonly accessLog: Layer | null;
  readonly metrics: Layer | null;
  readonly span: Layer | null;
  /** The user's own, outermost first; the same array as before if nothing changed. */
  readonly layers: () => readonly Layer[];
  readonly security: InboundSecurity;
  /** Requests being served; counted up and down by the stack. */
  readonly inFlight: { count: number };
}

/** What a policy's checks are made of. */
export interface InboundSecurity {
  /** How strict a policy is about TLS in this process. */
  mtlsMode(policy: InboundPolicy): "strict" | "permissive" | "disable";
  readonly counters: AuthorizationCounters;
  /** Verifies tokens by the rules of this policy: a request that waits in a layer while another comes into force is decided wholly by the one it began with. */
  authenticate(policy: InboundPolicy): Layer;
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
      // Whatever the policy: who is calling, and that this side is who it was, holds no longer.
      requireCurrent,
      underPolicy(deps),
    ],
    callApplication,
  );
}

/** What the policy in force asks for; what it does not ask for is not there. */
function policyLayers(policy: InboundPolicy, { layers, clock, deadlines, security }: InboundDeps): readonly (Layer | null)[] {
  const { authorization, jwt } = policy;
  return [
    // Before all that looks at the request: what came in the clear is refused, whatever it says.
    security.mtlsMode(policy) === "strict" ? requirePeer : null,
    // What anybody may have written of who is calling is gone before anything reads it.
    identityHeaders(() => policy),
    // Above every layer that reads the path to decide by it, the application's own too.
    authorization === null ? null : normalPath(authorization.pathNormalisation),
    // Below all that is counted, logged and traced, so that what they refuse is seen; above the policies of the mesh, which they may spare work.
    ...layers(),
    // Before all that costs: nobody waits for a request whose deadline has passed. Sets what calls of the application inherit.
    inboundDeadline(policy, { clock, deadlines }),
    // Below what sheds load without looking at it: a signature costs more than all the rest.
    jwt.length === 0 ? null : security.authenticate(policy),
    // Last: it decides by all that was found out above.
    authorization === null || authorization.policies.length === 0 ? null : authorize(authorization, security.counters),
  ];
}

/** Put together anew when the policy or the application's layers are others. */
function underPolicy(deps: InboundDeps): Layer {
  return (next) => {
    let inForce: InboundPolicy | null = null;
    let layers: readonly Layer[] = [];
    let handler: Handler = next;
    // async, so that a layer that throws rejects: what is counted above must be counted down.
    return async (request) => {
      const policy = deps.policy();
      // A service that left the configuration took its policy along, and nobody knows whom it would serve.
      if (policy === null) throw new MeshError("not_ready", `serving ${requestName(request)}: no source defines this service`);
      const current = deps.layers();
      if (policy !== inForce || current !== layers) {
        handler = compose(policyLayers(policy, deps), next);
        inForce = policy;
        layers = current;
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
