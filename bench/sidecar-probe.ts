import { request } from "undici";
import { SERVICE } from "./document.ts";
import { plainClient, statusOf } from "./grpc-service.ts";
import type { Protocol } from "./servers.ts";

/** Asks a sidecar for a path outside of what is measured, and says how it answers in its protocol. */
export interface SidecarProbe {
  /** The answer's status: of HTTP, or of gRPC. */
  ask(path: string): Promise<string>;
  readonly good: string;
  /** What no rule allows. */
  readonly refused: string;
  /** What took too long. */
  readonly givenUp: string;
  close(): void;
}

export function sidecarProbe(address: string, protocol: Protocol): SidecarProbe {
  return protocol === "grpc" ? grpcProbe(address) : httpProbe(address);
}

function httpProbe(address: string): SidecarProbe {
  return {
    async ask(path) {
      const { statusCode, body } = await request(`http://${address}${path}`);
      await body.dump();
      return String(statusCode);
    },
    good: "200",
    refused: "403",
    givenUp: "504",
    close() {},
  };
}

function grpcProbe(address: string): SidecarProbe {
  const client = plainClient(address, null, { "grpc.default_authority": SERVICE });
  return {
    ask: async (path) => `status ${await statusOf(client, path)}`,
    good: "status 0",
    refused: "status 7",
    // UNAVAILABLE: an Envoy makes it of the 504 that it would answer HTTP with.
    givenUp: "status 14",
    close: () => client.close(),
  };
}
