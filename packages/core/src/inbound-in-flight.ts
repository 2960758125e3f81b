import type { Layer } from "./layer.ts";

/** Counts requests from their arrival to the last byte of their response. */
export function countInFlight(inFlight: { count: number }): Layer {
  const leave = () => {
    inFlight.count--;
  };
  return (next) => (request) => {
    inFlight.count++;
    return next(request).then(
      (response) => {
        response.body.whenEnd(leave);
        return response;
      },
      (error: unknown) => {
        leave();
        throw error;
      },
    );
  };
}
