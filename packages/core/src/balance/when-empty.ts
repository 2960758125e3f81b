import type { Clock } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { type MeshRequest, nameAt } from "../message.ts";
import type { Waits } from "../waits.ts";

/** A backend that may have no endpoint yet. */
export interface EmptyTarget {
  readonly name: string;
  /** No endpoint is known; ejected ones are. */
  readonly isEmpty: boolean;
  /** Which source gives none, and since when. */
  emptyBecause(): string;
  /** Calls back once, when that may have changed; returns a function that forgets the listener. */
  whenChanged(listener: () => void): () => void;
}

/** Lets a request wait for the first endpoint of its backend, rather than fail at once. Its deadline ends the wait too. */
export function whenEmpty(target: EmptyTarget, waitMs: number, { clock, waits }: { readonly clock: Clock; readonly waits: Waits }): Layer {
  return (next) => (request) => {
    if (!target.isEmpty) return next(request);
    const { cancel } = request.context;
    waits.begin(cancel);
    return endpointOf(target, request, waitMs, clock)
      .then(() => next(request))
      .finally(() => waits.end(cancel));
  };
}

function endpointOf(target: EmptyTarget, request: MeshRequest, waitMs: number, clock: Clock): Promise<void> {
  const { attempt, cancel } = request;
  return new Promise((resolve, reject) => {
    let forget = () => {};
    const stop = () => {
      clock.clearTimer(timer);
      cancel.offCancel(leave);
      forget();
    };
    const leave = (reason: unknown) => {
      stop();
      // Nobody failed it but the lack of an endpoint: not held against the backend.
      if (attempt) attempt.outcome = "no-endpoint";
      reject(reason);
    };
    const giveUp = () => {
      const because = `${target.emptyBecause()}; waited ${formatDuration(waitMs)} for one`;
      leave(new MeshError("no_endpoint", `${nameAt(request, target.name)}: ${because}`));
    };
    const look = () => {
      if (target.isEmpty) {
        giveUp();
        return;
      }
      stop();
      resolve();
    };
    const timer = clock.setTimer(waitMs, giveUp);
    forget = target.whenChanged(look);
    cancel.onCancel(leave);
  });
}
