import type { TLSSocket } from "node:tls";
import type { Backend } from "../model/backend.ts";

/** RFC 7301's names of what a backend speaks. gRPC is HTTP/2. */
export function alpnOf(protocol: Backend["protocol"]): "http/1.1" | "h2" {
  return protocol === "http1" ? "http/1.1" : "h2";
}

/**
 * Why the protocol that was agreed on is not the one to speak, or null. HTTP/1.1 is what a server speaks that knows nothing of ALPN;
 * HTTP/2 over TLS has to be agreed on (RFC 9113 section 3.2).
 */
export function alpnProblem({ alpnProtocol }: Pick<TLSSocket, "alpnProtocol">, wanted: "http/1.1" | "h2"): string | null {
  if (alpnProtocol === wanted || (!alpnProtocol && wanted === "http/1.1")) return null;
  return `it agreed to speak ${alpnProtocol || "nothing by ALPN"}, expected ${wanted}`;
}
