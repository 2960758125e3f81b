import { type AccessLogOptions, type Duration, type LayerPlace, nearest, type Problem, type UserLayer } from "@heddle/core";
import type { Failures } from "@heddle/http";
import { findConfig, type MeshConfig, type Surroundings } from "./find-config.ts";

export interface JoinOptions {
  /** Who this process is: selects its inbound policy and labels its telemetry. Default: HEDDLE_SERVICE. None: client only, serving throws. */
  readonly service?: string;
  /**
   * The path of a YAML or JSON document, of a folder or pattern of them (`conf.d/`, `mesh/*.yaml`), or of a module whose default export
   * is a document; a document as an object; a control source; or an array of them, of which the later one wins per part and
   * `{ source, optional: true }` holds nothing back. Default: HEDDLE_CONFIG, ./mesh.config.ts, ./mesh.yaml, ./mesh.yml, ./mesh.json,
   * else the services in the environment (`REVIEWS_HTTP=host:port`, or as .NET Aspire injects them).
   */
  readonly config?: MeshConfig;
  /** How long to wait until the configuration is known. Default 10 s. */
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
  /** Layers of the user's own, outermost first: `{ at: "inbound", layer: (next) => (request) => next(request) }`. Default: none. */
  readonly layers?: readonly UserLayer[];
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
  "startTimeout",
  "onProblem",
  "onChange",
  "accessLog",
  "failures",
  "bypass",
  "layers",
] as const satisfies readonly (keyof JoinOptions)[];

/** Rejects with TypeError for an option that does not exist, and where no configuration is to be found. */
export async function resolveOptions(options: JoinOptions, around: Surroundings): Promise<ResolvedJoinOptions> {
  const { env } = around;
  for (const name of Object.keys(options)) {
    if (!(NAMES as readonly string[]).includes(name)) throw unknownOption(name);
  }
  for (const layer of options.layers ?? []) checkLayer(layer);
  const service = options.service ?? (env.HEDDLE_SERVICE || undefined);
  return {
    ...options,
    config: await findConfig(options.config, service, around),
    accessLog: options.accessLog ?? env.HEDDLE_ACCESS_LOG === "1",
    failures: checkFailures(options.failures ?? "reject"),
    bypass: options.bypass ?? env.HEDDLE_BYPASS === "1",
    ...(service === undefined ? {} : { service }),
  };
}

function checkFailures(failures: Failures): Failures {
  if (failures === "reject" || failures === "response") return failures;
  throw new TypeError(`joinMesh: failures must be "reject" or "response", not ${JSON.stringify(failures)}`);
}

// Where layers are not run yet they are refused.
const PLACES: readonly LayerPlace[] = ["inbound"];

function checkLayer({ at, layer }: UserLayer): void {
  if (!PLACES.includes(at)) throw new TypeError(`joinMesh: layers: at must be one of ${PLACES.join(", ")}, not ${JSON.stringify(at)}`);
  if (typeof layer !== "function")
    throw new TypeError(`joinMesh: layers: layer must be a function (next) => (request) => reply, not ${typeof layer}`);
}

function unknownOption(name: string): TypeError {
  const meant = nearest(name, NAMES);
  return new TypeError(
    `joinMesh: there is no option ${JSON.stringify(name)}${meant === null ? `; there are ${NAMES.join(", ")}` : `; did you mean ${JSON.stringify(meant)}?`}`,
  );
}
