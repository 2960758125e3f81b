import { MeshError } from "./errors.ts";
import type { Layer } from "./layer.ts";
import { requestName } from "./message.ts";

/** Rejects with `not_ready` until every source has spoken: before that the policy to enforce is unknown. */
export function requireReady(isReady: () => boolean): Layer {
  return (next) => (request) => {
    if (isReady()) return next(request);
    return Promise.reject(new MeshError("not_ready", `serving ${requestName(request)}: a source has not delivered its configuration yet`));
  };
}
