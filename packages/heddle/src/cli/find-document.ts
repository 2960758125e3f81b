import { statSync } from "node:fs";
import { findConfig, type MeshConfig, type Surroundings } from "../find-config.ts";
import { UsageError } from "./command.ts";

/** Where the configuration of a command comes from. */
export interface FoundConfig {
  readonly config: MeshConfig;
  /** The one file that it is, if it is one: it can be checked before anything waits for it. */
  readonly file: string | null;
}

const DOCUMENT = /\.(?:ya?ml|json)$/i;
const PATTERN = /[*?]/;

/** What `joinMesh` would take. Throws UsageError where there is nothing, or not what `--config` says. */
export async function findDocument(given: string | undefined, around: Surroundings): Promise<FoundConfig> {
  const config = await findConfig(given, around.env.HEDDLE_SERVICE || undefined, around).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message.replace("give `config`", "give --config FILE") : String(error));
  });
  if (typeof config !== "string" || PATTERN.test(config)) return { config, file: null };
  const found = statSync(config, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`${config} does not exist`);
  return { config, file: found.isFile() && DOCUMENT.test(config) ? config : null };
}
