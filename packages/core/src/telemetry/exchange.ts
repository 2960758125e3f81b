import { MeshError, meshError } from "../errors.ts";
import type { MeshRequest, MeshResponse } from "../message.ts";
import { grpcOutcome } from "../rpc.ts";
import { endedWith } from "../rpc-answer.ts";
import { TransportFailure, type TransportFailureKind } from "../transport.ts";

/** `resource`: a function that was called under the policies of a resource. */
export type Direction = "outbound" | "inbound" | "resource";

/** How an exchange ended: the status, `grpc:ok` and its like for a gRPC call, or in one word what went wrong. */
export type Outcome = number | string;

/** Told once, when an exchange is over. `response` is null if it failed before the head; `failure` is null if the body ended as it should. */
export type Ended = (response: MeshResponse | null, failure: unknown) => void;

/** Passes a reply on and calls back when it is over: at the end of its body, or when there is none to come. `ended` must not throw. */
export function whenOver(reply: Promise<MeshResponse>, ended: Ended): Promise<MeshResponse> {
  return reply.then(
    (response) => {
      response.body.whenEnd((failure) => ended(response, failure));
      return response;
    },
    (failure: unknown) => {
      ended(null, failure);
      throw failure;
    },
  );
}

/** The status of an exchange that ended well, else a MeshError code, `cancelled`, or `failed`. One vocabulary for counters, log and spans. */
export function outcomeOf(direction: Direction, request: MeshRequest, response: MeshResponse | null, failure: unknown): Outcome {
  if (response !== null && failure === null) {
    const { outcome, rpc } = request.context;
    return outcome ?? (rpc === null ? response.status : outcomeOfCall(response));
  }
  const code = meshError(failure)?.code;
  if (code !== undefined) return code;
  if (failure instanceof TransportFailure) return CODES[failure.kind];
  if (request.cancel.isCancelled || request.context.cancel.isCancelled) return "cancelled";
  // What breaks a body that a server sent has a name above; anything else is the reason with which its reader gave it up.
  return response !== null && direction === "outbound" ? "cancelled" : "failed";
}

/** The status with which a failure of the mesh is answered above what is told of it; null: it is no answer of this process. */
export function refusedWith(direction: Direction, failure: unknown): number | null {
  return direction === "inbound" && failure instanceof MeshError ? failure.status : null;
}

function outcomeOfCall(response: MeshResponse): Outcome {
  const grpcStatus = endedWith(response);
  return grpcStatus === null ? response.status : grpcOutcome(grpcStatus);
}

const CODES: Readonly<Record<TransportFailureKind, string>> = {
  "connect-failure": "connect_failed",
  "refused-stream": "connection_reset",
  reset: "connection_reset",
  "protocol-error": "protocol_error",
};
