import { dirname } from "node:path";
import type { InspectedEndpoint, Inspection, OutcomeCounts } from "@heddle/core";
import { addressOf, type Instance } from "./instances.ts";
import type { LogLine } from "./log-tail.ts";
import { type Frameworks, scriptOf } from "./scripts.ts";
import { ServiceProcess } from "./service-process.ts";
import { unlessCancelled, type Waiting } from "./wait.ts";

/** All processes of the demo. */
export class Fleet {
  readonly #running = new Map<string, ServiceProcess>();
  readonly #config: string;
  readonly #waiting: Waiting;
  readonly #frameworks: Frameworks;

  constructor(config: string, frameworks: Frameworks, waiting: Waiting) {
    this.#config = config;
    this.#waiting = waiting;
    this.#frameworks = frameworks;
  }

  get all(): readonly ServiceProcess[] {
    return [...this.#running.values()];
  }

  process(name: string): ServiceProcess {
    const found = this.#running.get(name);
    if (!found) throw new Error(`the demo has no process ${name}`);
    return found;
  }

  /** Resolves when it serves. One of that name must have ended before. */
  async start(instance: Instance): Promise<ServiceProcess> {
    const { clock, cancel } = this.#waiting;
    const started = new ServiceProcess(instance, {
      script: scriptOf(instance.service, this.#frameworks),
      config: this.#config,
      ratingsProtocol: this.#frameworks.grpc ? "grpc" : "http",
      folder: dirname(this.#config),
      clock,
      died: (why) => cancel.cancel(new Error(why)),
    });
    this.#running.set(instance.name, started);
    await unlessCancelled(started.serving, cancel);
    return started;
  }

  /** What the mesh of every process knows now. */
  inspect(): Promise<readonly Inspection[]> {
    return unlessCancelled(Promise.all(this.all.map((one) => one.inspect())), this.#waiting.cancel);
  }

  /** What one process knows about another, over all the backends that name it. */
  async view(from: string, of: string): Promise<readonly InspectedEndpoint[]> {
    const address = addressOf(this.process(of).instance);
    const { backends } = await unlessCancelled(this.process(from).inspect(), this.#waiting.cancel);
    return backends.flatMap(({ endpoints }) => endpoints).filter((endpoint) => endpoint.address === address);
  }

  /** What ended at one process, on its way in or out. */
  async counters(of: string, direction: OutcomeCounts["direction"]): Promise<readonly OutcomeCounts[]> {
    const { counters } = await unlessCancelled(this.process(of).inspect(), this.#waiting.cancel);
    return counters.filter((counted) => counted.direction === direction);
  }

  /** The last request of this identity that a process with an access log has written down. */
  lastLogged(peerId: string): LogLine | null {
    const lines = this.all.map(({ log }) => log?.lastFrom(peerId) ?? null).filter((line) => line !== null);
    return lines.toSorted((one, other) => one.time - other.time).at(-1) ?? null;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((one) => one.stop()));
  }
}

export function failuresOf(endpoints: readonly InspectedEndpoint[]): number {
  return endpoints.reduce((sum, { failures }) => sum + failures, 0);
}

export function ejectionsOf(endpoints: readonly InspectedEndpoint[]): number {
  return endpoints.reduce((sum, { ejections }) => sum + ejections, 0);
}

export function requestsOf(counters: readonly OutcomeCounts[]): number {
  return counters.reduce((sum, { count }) => sum + count, 0);
}
