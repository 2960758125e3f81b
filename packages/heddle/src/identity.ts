import { statSync } from "node:fs";
import { join } from "node:path";
import { type CertificateSource, type IdentityFilesOptions, identityFiles } from "@heddle/core";
import { type DevIdentityOptions, devIdentity, type WorkloadApiOptions, workloadApi } from "@heddle/spiffe";

/** Where the identity of a process comes from: `joinMesh({ identity: identity.files({ cert, key, bundle }) })`. */
export const identity: {
  /** PEM files that something else keeps fresh, such as cert-manager, Istio's agent or the SPIFFE helper; read again when they change. */
  files(options: IdentityFilesOptions): CertificateSource;
  /** The SPIFFE Workload API of an agent on this machine. Needs `@grpc/grpc-js`. Default address: SPIFFE_ENDPOINT_SOCKET. */
  workloadApi(options?: WorkloadApiOptions): CertificateSource;
  /** A local authority whose key lies in a folder. For development alone. */
  dev(options?: DevIdentityOptions): CertificateSource;
} = {
  files: (options) => identityFiles(options),
  workloadApi: (options) => workloadApi(options),
  dev: (options) => devIdentity(options),
};

/**
 * What HEDDLE_IDENTITY says: `dev`, `workload-api`, or the path of a folder with `tls.crt`, `tls.key` and `ca.crt`, as a mounted
 * `kubernetes.io/tls` secret of cert-manager has them. Throws TypeError for anything else.
 */
export function identityFromEnvironment(value: string): CertificateSource {
  if (value === "dev") return identity.dev();
  if (value === "workload-api") return identity.workloadApi();
  // A word alone is more likely a misspelt one of these than a folder that is not there yet.
  if (value.includes("/") || statSync(value, { throwIfNoEntry: false })?.isDirectory() === true) {
    return identity.files({ cert: join(value, "tls.crt"), key: join(value, "tls.key"), bundle: join(value, "ca.crt") });
  }
  throw new TypeError(
    `joinMesh: HEDDLE_IDENTITY: found ${JSON.stringify(value)}, expected "dev", "workload-api", or the path of a folder, such as "./identity"`,
  );
}
