import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type { Fact, ServerCounts, Setup, SlotOrder, SlotResult, VariantAnswer, VariantOrder } from "./protocol.ts";
import type { Servers } from "./servers.ts";
import type { ComparedVariant } from "./suites.ts";

const OPEN_MS = 20_000;
/** On top of a slot's own time, and for a verification with its probes. */
const PATIENCE_MS = 30_000;

/** One variant in its process, as the rounds see it. */
export class Contestant {
  readonly name: string;
  readonly #child: Child<VariantOrder, VariantAnswer>;
  readonly #path: string;
  readonly #servers: Servers | null;

  private constructor(name: string, child: Child<VariantOrder, VariantAnswer>, path: string, servers: Servers | null) {
    this.name = name;
    this.#child = child;
    this.#path = path;
    this.#servers = servers;
  }

  static async open({ name, module }: ComparedVariant, path: string, servers: Servers | null): Promise<Contestant> {
    const setup: Setup = { addresses: servers?.addresses ?? [], path };
    const file = fileURLToPath(new URL(`./variants/${module}.ts`, import.meta.url));
    const { child } = await Child.start<VariantOrder, VariantAnswer>(name, "./worker.ts", [file, JSON.stringify(setup)], OPEN_MS);
    return new Contestant(name, child, path, servers);
  }

  async slot(slot: SlotOrder): Promise<SlotResult> {
    const answer = await this.#child.ask({ kind: "slot", slot }, slot.durationMs + PATIENCE_MS);
    if (answer.kind !== "slot") throw new Error(`${this.name} answered a slot with ${answer.kind}`);
    return answer.result;
  }

  /** What must hold of this variant: that the servers saw all of its requests, and what it checks itself. */
  async facts(): Promise<readonly Fact[]> {
    const counts = (await this.#servers?.countsOf(this.#path)) ?? {};
    const answer = await this.#child.ask({ kind: "verify", counts }, PATIENCE_MS);
    if (answer.kind !== "facts") throw new Error(`${this.name} answered a verification with ${answer.kind}`);
    return this.#servers ? [arrivals(answer.requests, counts), ...answer.facts] : answer.facts;
  }

  close(): Promise<void> {
    return this.#child.stop({ kind: "close" });
  }
}

function arrivals(requests: number, counts: ServerCounts): Fact {
  const perServer = Object.values(counts).map((count) => count.requests);
  const sum = perServer.reduce((total, count) => total + count, 0);
  return {
    name: "every server was asked, and together they saw every request once",
    holds: sum === requests && perServer.every((count) => count > 0),
    seen: `${requests} requests, at the servers ${perServer.join(" + ")}`,
  };
}
