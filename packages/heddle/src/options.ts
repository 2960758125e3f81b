import {
  type AccessLogOptions,
  type CertificateSource,
  checkKeys,
  type Duration,
  durationMs,
  EXTENSION_OPTIONS,
  type ExtensionOptions,
  type Problem,
} from "@heddle/core";
import type { Failures } from "@heddle/http";
import { findConfig, type MeshConfig, type Surroundings } from "./find-config.ts";
import { identityFromEnvironment } from "./identity.ts";

/** `M`: the type of `config`, which knows the names of services where it was made by `defineMesh`. */
export interface JoinOptions<M extends MeshConfig = MeshConfig> extends ExtensionOptions {
  /** Who this process is: selects its inbound policy and labels its telemetry. Default: HEDDLE_SERVICE. None: client only, serving throws. */
  readonly service?: string;
  /**
   * The path of a YAML or JSON document, of a folder or pattern of them (`conf.d/`, `mesh/*.yaml`), or of a module whose default export
   * is a document; a document as an object; a control source; or an array of them, of which the later one wins per part and
   * `{ source, optional: true }` holds nothing back. Default: HEDDLE_CONFIG, ./mesh.config.ts, ./mesh.yaml, ./mesh.yml, ./mesh.json,
   * else the services in the environment (`REVIEWS_HTTP=host:port`, or as .NET Aspire injects them).
   */
  readonly config?: M;
  /**
   * Who this process proves to be: `identity.files(...)`, `identity.workloadApi()`, `identity.dev()`, or a source of your own. With one,
   * services are called by mutual TLS and this one demands it, unless the document says otherwise. Default: HEDDLE_IDENTITY, else none.
   */
  readonly identity?: CertificateSource;
  /** How long to wait until configuration and identity are known. Default 10 s. */
  readonly startTimeout?: Duration;
  /** Told each problem once. Default: written to stderr. `inspect().problems` keeps the last 100. */
  readonly onProblem?: (problem: Problem) => void;
  /** Called after a changed configuration took effect. */
  readonly onChange?: (change: { readonly revision: number }) => void;
  /** One line a request on each side; `true` for pino on stdout. Default: HEDDLE_ACCESS_LOG=1, else off. */
  readonly accessLog?: AccessLogOptions | boolean;
  /** `response`: failures of the mesh are answers, with the status that a proxy would give and their code in `x-heddle-error`. Default: `reject`. */
  readonly failures?: Failures;
  /**
   * No policy on the way out: every request goes to its service's first endpoint, or where its name resolves to. Said on stderr.
   * Default: HEDDLE_BYPASS=1, else false.
   */
  readonly bypass?: boolean;
}

/** What `joinMesh` works with once the environment has been asked. */
export interface ResolvedJoinOptions extends JoinOptions {
  readonly config: MeshConfig;
  readonly failures: Failures;
  readonly bypass: boolean;
}

const NAMES = [
  "service",
  "config",
  "identity",
  "startTimeout",
  "onProblem",
  "onChange",
  "accessLog",
  "failures",
  "bypass",
  ...EXTENSION_OPTIONS,
] as const satisfies readonly (keyof JoinOptions)[];

/** Rejects with TypeError for an option that does not exist, and where no configuration is to be found. */
export async function resolveOptions(options: JoinOptions, around: Surroundings): Promise<ResolvedJoinOptions> {
  const { env } = around;
  checkKeys(options, NAMES, "joinMesh");
  if (options.startTimeout !== undefined) durationMs(options.startTimeout, "joinMesh: startTimeout");
  const identity = options.identity ?? (env.HEDDLE_IDENTITY ? identityFromEnvironment(env.HEDDLE_IDENTITY) : undefined);
  const service = options.service ?? (env.HEDDLE_SERVICE || undefined);
  return {
    ...options,
    config: await findConfig(options.config, service, around),
    accessLog: options.accessLog ?? env.HEDDLE_ACCESS_LOG === "1",
    failures: checkFailures(options.failures ?? "reject"),
    bypass: options.bypass ?? env.HEDDLE_BYPASS === "1",
    ...(service === undefined ? {} : { service }),
    ...(identity === undefined ? {} : { identity: checkIdentity(identity) }),
  };
}

function checkIdentity(identity: CertificateSource): CertificateSource {
  if (typeof identity === "object" && identity !== null && typeof identity.watch === "function") return identity;
  throw new TypeError("joinMesh: identity must be a certificate source, such as identity.dev()");
}

function checkFailures(failures: Failures): Failures {
  if (failures === "reject" || failures === "response") return failures;
  throw new TypeError(`joinMesh: failures must be "reject" or "response", not ${JSON.stringify(failures)}`);
}
