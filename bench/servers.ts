import { Child } from "./child.ts";
import type { ServerAnswer, ServerCounts, ServerOrder } from "./protocol.ts";
import type { MutualServer } from "./suites.ts";

const PATIENCE_MS = 10_000;
const HOW_MANY = 3;

/** Servers that demand mutual TLS: whose, and the folder of the authority that all believe. */
export interface MutualServing {
  readonly by: MutualServer;
  readonly authority: string;
}

/** What servers, sidecars and probes speak. */
export type Protocol = "http" | "grpc";

type Server = Child<ServerOrder, ServerAnswer>;

/** The upstreams of a run: three processes on loopback, shared by all comparisons, told apart by path. */
export class Servers {
  readonly addresses: readonly string[];
  readonly #children: readonly Server[];

  private constructor(children: readonly Server[], addresses: readonly string[]) {
    this.#children = children;
    this.addresses = addresses;
  }

  /** Of node:http in plaintext, where nothing else is said. */
  static async start(mutual: MutualServing | null = null, protocol: Protocol = "http"): Promise<Servers> {
    const started = await Promise.all(
      Array.from({ length: HOW_MANY }, (_, index) =>
        Child.start<ServerOrder, ServerAnswer>(
          `server ${index}`,
          protocol === "grpc" ? "./grpc-server.ts" : "./server.ts",
          mutual === null ? [String(index)] : [String(index), mutual.by, mutual.authority],
          PATIENCE_MS,
        ),
      ),
    );
    return new Servers(
      started.map(({ child }) => child),
      started.map(({ first }) => (first.kind === "listening" ? first.address : "")),
    );
  }

  async countsOf(path: string): Promise<ServerCounts> {
    const counts: Record<string, ServerCounts[string]> = {};
    for (const [index, child] of this.#children.entries()) {
      const answer = await child.ask({ kind: "counts" }, PATIENCE_MS);
      const byPath = answer.kind === "counts" ? answer.byPath : {};
      counts[this.addresses[index] ?? ""] = byPath[path] ?? { requests: 0, unsampled: 0, connections: 0, verified: 0 };
    }
    return counts;
  }

  cpuMicros(): number {
    return this.#children.reduce((sum, child) => sum + child.cpuMicros(), 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop(null)));
  }
}
