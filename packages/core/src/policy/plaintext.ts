import { MeshError } from "../errors.ts";
import type { Layer } from "../layer.ts";
import { requestName } from "../message.ts";

/** What asked for TLS does not leave without it. */
export function refusesScheme(scheme: "http" | "https", isEncrypted: boolean): boolean {
  return scheme === "https" && !isEncrypted;
}

/** The scheme never lowers security: `https://` to a backend without TLS is refused, instead of being sent in the clear. */
export function plaintextOnly(backend: string): Layer {
  return (next) => (request) => {
    if (!refusesScheme(request.scheme, false)) return next(request);
    return Promise.reject(
      new MeshError("tls_required", `${requestName(request)}: ${backend} is configured without TLS; call it with http://`),
    );
  };
}
