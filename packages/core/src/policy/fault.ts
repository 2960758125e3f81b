import { sleep } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import { isTaken } from "../fraction.ts";
import type { Layer } from "../layer.ts";
import { headerValue, type MeshRequest, type MeshResponse } from "../message.ts";
import { MAX_FAULT_DELAY_MS } from "../model/defaults.ts";
import { GRPC_STATUS_NAMES } from "../model/grpc-status.ts";
import type { FaultPolicy } from "../model/route.ts";
import type { Random } from "../random.ts";
import { answerTo, trailersOnly } from "../rpc-answer.ts";
import type { Waits } from "../waits.ts";

/** Envoy's names, believed only where the document allows faults by header. */
const DELAY_HEADER = "x-envoy-fault-delay-request";
const ABORT_HEADER = "x-envoy-fault-abort-request";
const ABORT_GRPC_HEADER = "x-envoy-fault-abort-grpc-request";

export interface FaultDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly waits: Waits;
}

/**
 * Makes some requests slow or fail, to see what becomes of them: first the delay, then the abort, as Envoy's fault filter.
 * Beneath the deadline, which a delay uses up; above the attempts, so that an abort is not retried and no endpoint is blamed.
 */
export function fault(policy: FaultPolicy, { clock, random, waits }: FaultDependencies): Layer {
  return (next) => async (request) => {
    const delayMs = delayOf(policy, request, random);
    const abort = abortOf(policy, request, random);
    const { cancel } = request.context;
    // No channel has it yet: closing would not know of it.
    if (delayMs > 0) waits.begin(cancel);
    try {
      if (delayMs > 0) await sleep(clock, delayMs, request.cancel);
      return abort === null ? await next(request) : aborted(abort, request);
    } finally {
      if (delayMs > 0) waits.end(cancel);
    }
  };
}

/** What a request is aborted with: a status of HTTP, or of gRPC. */
type Abort = { readonly status: number } | { readonly grpcStatus: number };

function aborted(abort: Abort, request: MeshRequest): MeshResponse {
  if ("grpcStatus" in abort) return trailersOnly(abort.grpcStatus, "fault injected by the mesh", { "x-heddle-fault": "abort" });
  const body = request.method === "HEAD" ? null : "fault injected by the mesh\n";
  return answerTo(request, abort.status, body, { "content-type": "text/plain", "x-heddle-fault": "abort" });
}

function delayOf(policy: FaultPolicy, { headers }: MeshRequest, random: Random): number {
  const asked = policy.byHeader ? integer(headerValue(headers, DELAY_HEADER)) : null;
  if (asked !== null) return Math.min(asked, MAX_FAULT_DELAY_MS);
  return policy.delay !== null && isTaken(policy.delay.fraction, random) ? policy.delay.durationMs : 0;
}

function abortOf(policy: FaultPolicy, { headers, context }: MeshRequest, random: Random): Abort | null {
  const isRpc = context.rpc !== null;
  const grpc = policy.byHeader && isRpc ? integer(headerValue(headers, ABORT_GRPC_HEADER)) : null;
  if (grpc !== null && grpc < GRPC_STATUS_NAMES.length) return { grpcStatus: grpc };
  const asked = policy.byHeader ? integer(headerValue(headers, ABORT_HEADER)) : null;
  if (asked !== null && asked >= 200 && asked <= 599) return { status: asked };
  const { abort } = policy;
  if (abort === null || !isTaken(abort.fraction, random)) return null;
  if (isRpc && abort.grpc !== null) return { grpcStatus: GRPC_STATUS_NAMES.indexOf(abort.grpc) };
  return abort.status === null ? null : { status: abort.status };
}

function integer(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : null;
}
