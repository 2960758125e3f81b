import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { derive, requestName } from "../message.ts";
import type { PathNormalisation } from "../model/authorization.ts";
import { normalisePath } from "./terms/normalise-path.ts";

/**
 * Gives everything below, the application too, the path in its one spelling, so that nobody decides by another one than is served.
 * Rejects with `invalid_request` where there is none. CONNECT has no path; that of a gRPC call names a method, which is found by exactly
 * what came.
 */
export function normalPath(setting: PathNormalisation): Layer {
  return (next) => (request) => {
    if (request.method === "CONNECT" || request.context.rpc !== null) return next(request);
    const normal = normalisePath(request.path, setting);
    if (normal.kind !== "refused") return next(normal.kind === "unchanged" ? request : derive(request, { path: normal.path }));
    return Promise.reject(new MeshError("invalid_request", `serving ${requestName(request)}: the path is refused: ${normal.why}`));
  };
}
