import { MeshError } from "./errors.ts";
import { inboundConnection } from "./inbound-call.ts";
import type { Layer } from "./layer.ts";

/** Where mutual TLS is strict: rejects with `mtls_required` what came by a connection that proves no identity, whatever else it is. */
export const requirePeer: Layer = (next) => (request) => {
  if (inboundConnection(request).peer !== null) return next(request);
  return Promise.reject(
    new MeshError(
      "mtls_required",
      `serving ${request.method} ${request.authority}: the request came without mutual TLS, and inbound.mtls is strict`,
    ),
  );
};
