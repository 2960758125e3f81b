import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";

/** The scheme never lowers security: `https://` to a backend without TLS is refused, instead of being sent in the clear. */
export function plaintextOnly(backend: string): Layer {
  return (next) => (request) => {
    if (request.scheme === "http") return next(request);
    return Promise.reject(
      new MeshError(
        "tls_required",
        `${request.method} https://${request.authority}: ${backend} is configured without TLS; call it with http://`,
      ),
    );
  };
}
