import type { Cancel, MeshResponse } from "@heddle/core";

/**
 * Cancels with the signal's own reason while the request runs, and lets go of the signal when its body has ended. A signal that
 * serves many requests collects no listeners.
 */
export function linkSignal(signal: AbortSignal, cancel: Cancel, response: Promise<MeshResponse>): Promise<MeshResponse> {
  const onAbort = () => cancel.cancel(signal.reason);
  const unlink = () => signal.removeEventListener("abort", onAbort);
  signal.addEventListener("abort", onAbort, { once: true });
  return response.then(
    (head) => {
      head.body.whenEnd(unlink);
      return head;
    },
    (error) => {
      unlink();
      throw error;
    },
  );
}
