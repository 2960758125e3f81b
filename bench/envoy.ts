import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { request } from "undici";
import { processCpuMicros } from "./process-cpu.ts";

const START_MS = 20_000;
const LOOK_MS = 20;

/** Every Envoy this run has started and that has not ended yet. */
const running = new Set<ChildProcess>();

/** One Envoy with one worker thread, no access log, and nothing else on that is not in its bootstrap. */
export class Envoy {
  /** `host:port` of each listener of the bootstrap. */
  readonly listeners: readonly string[];
  readonly #process: ChildProcess;
  readonly #pid: number;
  readonly #admin: string;

  private constructor(process: ChildProcess, pid: number, admin: string, listeners: readonly string[]) {
    this.#process = process;
    this.#pid = pid;
    this.#admin = admin;
    this.listeners = listeners;
  }

  /** Rejects with what Envoy said if it does not serve in time. */
  static async start(command: string, bootstrap: object): Promise<Envoy> {
    const folder = mkdtempSync(join(tmpdir(), "heddle-bench-"));
    const adminFile = join(folder, "admin");
    const bootstrapFile = join(folder, "bootstrap.json");
    writeFileSync(bootstrapFile, JSON.stringify(bootstrap));
    const child = spawn(command, argumentsFor(bootstrapFile, adminFile), { stdio: ["ignore", "ignore", "pipe"], detached: true });
    running.add(child);
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4_000);
    });
    child.once("exit", () => running.delete(child));
    try {
      if (child.pid === undefined) throw (await once(child, "error"))[0];
      const admin = await appears(() => readFileSync(adminFile, "utf8") || null, child);
      const listeners = await appears(() => listenersOf(admin), child);
      return new Envoy(child, child.pid, admin, listeners);
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(`${command} did not start: ${said.trim() || "it said nothing"}`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  cpuMicros(): number {
    return processCpuMicros(this.#pid);
  }

  /** A counter or gauge by its full name; 0 for one that Envoy has not made. */
  async stat(name: string): Promise<number> {
    const answer = await request(`http://${this.#admin}/stats`, { query: { filter: `^${name.replaceAll(".", "\\.")}$` } });
    const value = /: (\d+)/.exec(await answer.body.text())?.[1];
    return value === undefined ? 0 : Number(value);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }
}

/** Ends every Envoy this run has started, at once. */
export function killEnvoys(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** From a file: Linux takes no argument of more than 128 KiB. */
function argumentsFor(bootstrapFile: string, adminFile: string): readonly string[] {
  const fixed = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  return ["--config-path", bootstrapFile, "--admin-address-path", adminFile, ...fixed];
}

/** `host:port` of the listeners, or null while one of them has none yet. */
async function listenersOf(admin: string): Promise<readonly string[] | null> {
  const ready = await request(`http://${admin}/ready`);
  await ready.body.dump();
  if (ready.statusCode !== 200) return null;
  const answer = await request(`http://${admin}/listeners?format=json`);
  const { listener_statuses: statuses } = (await answer.body.json()) as ListenersAnswer;
  return statuses.map(({ local_address: { socket_address: at } }) => `${at.address}:${at.port_value}`);
}

interface ListenersAnswer {
  readonly listener_statuses: readonly {
    readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
  }[];
}

/** Looks until there is something. Rejects when the process has ended, or `START_MS` have passed. */
async function appears<T>(look: () => T | null | Promise<T | null>, child: ChildProcess): Promise<T> {
  for (let waited = 0; waited < START_MS; waited += LOOK_MS) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended (${child.signalCode ?? `exit ${child.exitCode}`})`);
    try {
      const seen = await look();
      if (seen !== null) return seen;
    } catch {
      // Not there yet: a file that is not written, a port on which nobody listens.
    }
    await wait(LOOK_MS);
  }
  throw new Error(`it was not ready within ${START_MS} ms`);
}
