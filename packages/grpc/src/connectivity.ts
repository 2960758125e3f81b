import { connectivityState } from "@grpc/grpc-js";
import type { ExplainedDecision, Mesh } from "@heddle/core";

/** How often a state that is watched is looked at. Only clients that wait to be ready watch one. */
const LOOK_MS = 50;

/** The state of a channel that is the mesh: whether there is an endpoint for its calls. Connections are made by the calls themselves. */
export function connectivityOf(mesh: Mesh, authority: string): connectivityState {
  if (mesh.virtualHost(authority) === null) {
    return mesh.inspect().revision === 0 ? connectivityState.CONNECTING : connectivityState.TRANSIENT_FAILURE;
  }
  const { decision, alternatives } = mesh.explain({ method: "POST", url: `http://${authority}/` });
  return [decision, ...alternatives].some(mayAnswer) ? connectivityState.READY : connectivityState.TRANSIENT_FAILURE;
}

/** Where no endpoint is looked for, as with a method that another route takes, the call itself will tell. */
function mayAnswer(decision: ExplainedDecision): boolean {
  return decision.kind !== "forward" || decision.backends.some(({ endpoints }) => endpoints.some(({ state }) => state !== "ejected"));
}

/** Calls back without an error once the state is another one, with one when the deadline has passed. Returns a function that stops it. */
export function watchConnectivity(
  mesh: Mesh,
  state: () => connectivityState,
  from: connectivityState,
  deadlineMs: number,
  callback: (error?: Error) => void,
): () => void {
  let timer: object | null = null;
  const look = (): void => {
    timer = null;
    if (state() !== from) callback();
    else if (mesh.clock.wallTime() >= deadlineMs) callback(new Error("Deadline passed without connectivity state change"));
    else later();
  };
  const later = (): void => {
    const restMs = Math.max(0, deadlineMs - mesh.clock.wallTime());
    // Who waits for ever does not keep the process alive by it.
    timer = mesh.clock.setTimer(Math.min(LOOK_MS, restMs), look, restMs === Number.POSITIVE_INFINITY ? "idle" : undefined);
  };
  later();
  return () => {
    if (timer !== null) mesh.clock.clearTimer(timer);
  };
}
