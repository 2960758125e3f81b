import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { envSource, hasEnvironmentServices, isControlSource, type MeshOptions, staticSource } from "@heddle/core";

/** Everything that `config` may be. */
export type MeshConfig = MeshOptions["config"];

/** What a process is asked, passed in for tests. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fileExists: (path: string) => boolean;
  /** Imports a module by its path. */
  readonly load: (path: string) => Promise<unknown>;
}

export const PROCESS: Surroundings = {
  env: process.env,
  fileExists: existsSync,
  load: (path) => import(pathToFileURL(resolve(path)).href),
};

const MODULE = "mesh.config.ts";
const DOCUMENTS = ["mesh.yaml", "mesh.yml", "mesh.json"];
const MODULES = [".ts", ".mts", ".js", ".mjs"];

/**
 * The configuration: what was given, else HEDDLE_CONFIG, ./mesh.config.ts, ./mesh.yaml, ./mesh.yml, ./mesh.json, else the services in
 * the environment. The path of a module stands for its default export. Throws TypeError where there is none of all that.
 */
export async function findConfig(given: MeshConfig | undefined, service: string | undefined, around: Surroundings): Promise<MeshConfig> {
  const { env, fileExists } = around;
  const config = given ?? (env.HEDDLE_CONFIG || undefined) ?? [MODULE, ...DOCUMENTS].find((path) => fileExists(path));
  if (typeof config === "string") return MODULES.includes(extname(config).toLowerCase()) ? defaultExport(config, around) : config;
  if (config !== undefined) return config;
  // The process itself is not among the services that its environment names.
  if (hasEnvironmentServices(env)) return envSource({ ...env, HEDDLE_SERVICE: service });
  throw new TypeError(
    `joinMesh: no configuration: give \`config\`, set HEDDLE_CONFIG, put a ${MODULE} or mesh.yaml into the working directory, or name services in the environment (REVIEWS_HTTP=host:port)`,
  );
}

async function defaultExport(path: string, { load }: Surroundings): Promise<MeshConfig> {
  const loaded = await load(path).catch((error: unknown) => {
    throw new TypeError(`joinMesh: ${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  const config = (loaded as { readonly default?: unknown }).default;
  if (typeof config === "string" || Array.isArray(config) || isControlSource(config)) return config;
  if (typeof config === "object" && config !== null) return staticSource(config, path);
  throw new TypeError(
    `joinMesh: the default export of ${path} is ${config === undefined ? "missing" : String(config)}, expected a document`,
  );
}
