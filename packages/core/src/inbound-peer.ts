import { MeshError } from "./errors.ts";
import { inboundConnection } from "./inbound-call.ts";
import type { Layer } from "./layer.ts";
import { requestName } from "./message.ts";

/** Rejects what came by a connection whose proof holds no longer: a certificate ended, or a root was withdrawn, while it was open. */
export const requireCurrent: Layer = (next) => (request) => {
  const { isCurrent, doubt } = inboundConnection(request);
  if (isCurrent === undefined || isCurrent()) return next(request);
  const why = doubt?.() ?? new MeshError("mtls_required", "what its connection proved is believed no longer");
  return Promise.reject(new MeshError(why.code, `serving ${requestName(request)}: ${why.message}`));
};

/** Where mutual TLS is strict: rejects with `mtls_required` what came by a connection that proves no identity, whatever else it is. */
export const requirePeer: Layer = (next) => (request) => {
  if (inboundConnection(request).peer !== null) return next(request);
  return Promise.reject(
    new MeshError("mtls_required", `serving ${requestName(request)}: the request came without mutual TLS, and inbound.mtls is strict`),
  );
};
