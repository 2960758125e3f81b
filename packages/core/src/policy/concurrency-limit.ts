import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { nameAt } from "../message.ts";

/** Requests in flight to one backend; survives configuration changes. */
export interface InFlight {
  count: number;
}

/** Refuses requests over `maxRequests` in flight, rather than queue them. Counts until the response's load is released. */
export function concurrencyLimit(maxRequests: number, backend: string, inFlight: InFlight): Layer {
  return (next) => (request) => {
    if (inFlight.count >= maxRequests) {
      return Promise.reject(
        new MeshError(
          "overloaded",
          `${nameAt(request, backend)}: ${inFlight.count} requests in flight, limits.maxRequests is ${maxRequests}`,
        ),
      );
    }
    inFlight.count++;
    const release = () => {
      inFlight.count--;
    };
    return next(request).then(
      (response) => {
        response.body.whenReleased(release);
        return response;
      },
      (error) => {
        release();
        throw error;
      },
    );
  };
}
