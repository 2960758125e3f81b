import type { Transport } from "@heddle/core";
import { httpTransport } from "@heddle/http";
import { grpcPackage } from "./grpc-package.ts";

/** Every protocol by the package that speaks it. That of gRPC is loaded when the first endpoint is called that speaks it. */
export function meshTransport(): Transport {
  const http = httpTransport();
  let grpc: Transport | null = null;
  return {
    open(settings) {
      if (settings.protocol !== "grpc") return http.open(settings);
      grpc ??= grpcPackage("an endpoint that speaks gRPC").grpcTransport();
      return grpc.open(settings);
    },
  };
}
