import type { RequestContext } from "./context.ts";
import { MeshError } from "./errors.ts";
import type { Handler, Layer } from "./layer.ts";
import type { MeshRequest, MeshResponse } from "./message.ts";
import { PushBody } from "./push-body.ts";

/**
 * Keeps what a layer of the application's own does wrong to the request it does it to, which fails with `extension_failed`: throwing,
 * rejecting with an error that is not the mesh's, or answering with something that is no response. What comes from beneath the layer,
 * and the caller's own abort, pass unchanged.
 */
export function guardLayer(layer: Layer, name: string): Layer {
  return (next) => {
    const fromBeneath = new WeakMap<RequestContext, unknown>();
    const watched: Handler = (request) =>
      next(request).catch((error: unknown) => {
        fromBeneath.set(request.context, error);
        throw error;
      });
    const handler = applied(layer, watched, name);
    return async (request) => {
      let response: MeshResponse;
      try {
        response = await handler(request);
      } catch (error) {
        const isKnown = error instanceof MeshError || fromBeneath.get(request.context) === error || isAbort(error, request);
        throw isKnown ? error : extensionFailed(`the layer ${name}`, error);
      }
      if (!isResponse(response)) throw new MeshError("extension_failed", `the layer ${name} answered with something that is no response`);
      noteAnswer(request, response);
      return response;
    };
  };
}

function applied(layer: Layer, next: Handler, name: string): Handler {
  try {
    const handler: unknown = layer(next);
    if (typeof handler === "function") return handler as Handler;
    return () => Promise.reject(new MeshError("extension_failed", `the layer ${name} is no function from a handler to a handler`));
  } catch (error) {
    return () => Promise.reject(extensionFailed(`the layer ${name}`, error));
  }
}

/** `what` threw. */
export function extensionFailed(what: string, error: unknown): MeshError {
  return new MeshError("extension_failed", `${what} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

function isAbort(error: unknown, { cancel, context }: MeshRequest): boolean {
  return (cancel.isCancelled && error === cancel.reason) || (context.cancel.isCancelled && error === context.cancel.reason);
}

export function isResponse(value: unknown): value is MeshResponse {
  if (typeof value !== "object" || value === null) return false;
  const { status, headers, body } = value as Partial<MeshResponse>;
  return Number.isInteger(status) && typeof headers === "object" && headers !== null && body instanceof PushBody;
}

/** A try that the layer answered in place of an endpoint has an outcome too. */
function noteAnswer({ attempt }: MeshRequest, { status }: MeshResponse): void {
  if (attempt?.outcome !== "pending") return;
  attempt.outcome = "response";
  attempt.status = status;
}
