import type { Instance } from "./instances.ts";

/** Which frameworks are installed: heddle itself depends on none of them. */
export interface Frameworks {
  readonly express: boolean;
  readonly fastify: boolean;
  readonly grpc: boolean;
}

/** `resolve` throws for what is not installed. */
export function findFrameworks(resolve: (name: string) => unknown): Frameworks {
  const isInstalled = (name: string): boolean => {
    try {
      resolve(name);
      return true;
    } catch {
      // Not installed: there is the same service on node:http.
      return false;
    }
  };
  return {
    express: isInstalled("express"),
    fastify: isInstalled("fastify"),
    grpc: isInstalled("@heddle/grpc") && isInstalled("@grpc/grpc-js"),
  };
}

/** The file of a service, without its extension. */
export function scriptOf(service: Instance["service"], { express, fastify, grpc }: Frameworks): string {
  switch (service) {
    case "reviews":
      return express ? "reviews-express" : "reviews";
    case "catalog":
    case "catalog-next":
      return fastify ? "catalog-fastify" : "catalog";
    case "ratings":
      return grpc ? "ratings-grpc" : "ratings";
    case "web":
    case "live":
    case "suggestions":
      return service;
    default:
      return service satisfies never;
  }
}

/** For people: what is not what it is meant to be. */
export function onNodeHttp({ express, fastify, grpc }: Frameworks): readonly string[] {
  return [
    ...(express ? [] : ["express is not installed here: reviews run on node:http instead"]),
    ...(fastify ? [] : ["fastify is not installed here: catalog runs on node:http instead"]),
    ...(grpc ? [] : ["gRPC is not installed here: ratings run on node:http instead, and what is shown of gRPC is left out"]),
  ];
}
