import * as grpc from "@heddle/grpc";

/**
 * Stands for the umbrella's own, which requires the package as it was built: one copy of core would make what another one's mesh has to
 * take. test/packaging proves the real one.
 */
export function grpcPackage(): typeof grpc {
  return grpc;
}
