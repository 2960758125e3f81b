import { existsSync } from "node:fs";
import {
  type AccessLogOptions,
  type ControlSource,
  type Duration,
  type LayerPlace,
  nearest,
  type Problem,
  type UserLayer,
} from "@heddle/core";

export interface JoinOptions {
  /** Who this process is: selects its inbound policy and labels its telemetry. Default: HEDDLE_SERVICE. None: client only, serving throws. */
  readonly service?: string;
  /** A path to a YAML or JSON document, the document as an object, or a control source. Default: HEDDLE_CONFIG, else ./mesh.yaml, else ./mesh.json. */
  readonly config?: string | object | ControlSource;
  /** How long to wait until the configuration is known. Default 10 s. */
  readonly startTimeout?: Duration;
  /** Told each problem once. Default: written to stderr. `inspect().problems` keeps the last 100. */
  readonly onProblem?: (problem: Problem) => void;
  /** Called after a changed configuration took effect. */
  readonly onChange?: (change: { readonly revision: number }) => void;
  /** One line a request on each side; `true` for pino on stdout. Default: HEDDLE_ACCESS_LOG=1, else off. */
  readonly accessLog?: AccessLogOptions | boolean;
  /** Layers of the user's own, outermost first: `{ at: "inbound", layer: (next) => (request) => next(request) }`. Default: none. */
  readonly layers?: readonly UserLayer[];
}

/** What `joinMesh` works with once the environment has been asked. */
export interface ResolvedJoinOptions extends JoinOptions {
  readonly config: string | object | ControlSource;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fileExists: (path: string) => boolean;
}

export const PROCESS: Surroundings = { env: process.env, fileExists: existsSync };

const NAMES = [
  "service",
  "config",
  "startTimeout",
  "onProblem",
  "onChange",
  "accessLog",
  "layers",
] as const satisfies readonly (keyof JoinOptions)[];
const DOCUMENTS = ["mesh.yaml", "mesh.yml", "mesh.json"];

/** Throws TypeError for an option that does not exist, and where no configuration is to be found. */
export function resolveOptions(options: JoinOptions, { env, fileExists }: Surroundings): ResolvedJoinOptions {
  for (const name of Object.keys(options)) {
    if (!(NAMES as readonly string[]).includes(name)) throw unknownOption(name);
  }
  for (const layer of options.layers ?? []) checkLayer(layer);
  const config = options.config ?? env["HEDDLE_CONFIG"] ?? DOCUMENTS.find((path) => fileExists(path));
  if (config === undefined) {
    throw new TypeError("joinMesh: no configuration: give `config`, set HEDDLE_CONFIG, or put a mesh.yaml into the working directory");
  }
  const service = options.service ?? (env["HEDDLE_SERVICE"] || undefined);
  return {
    ...options,
    config,
    accessLog: options.accessLog ?? env["HEDDLE_ACCESS_LOG"] === "1",
    ...(service === undefined ? {} : { service }),
  };
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
