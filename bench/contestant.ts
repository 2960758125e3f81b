import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type { BenchAuthority } from "./credentials.ts";
import { EnvoyPair } from "./envoy-pair.ts";
import type { Fact, ServerCounts, Setup, SlotOrder, SlotResult, VariantAnswer, VariantOrder } from "./protocol.ts";
import { type Protocol, Servers } from "./servers.ts";
import type { ComparedVariant } from "./suites.ts";

const OPEN_MS = 20_000;
/** On top of a slot's own time, and for a verification with its probes. */
const PATIENCE_MS = 30_000;

/** What a variant may be measured against. */
export interface Surroundings {
  /** null in the stub suite. */
  readonly servers: Servers | null;
  /** The Envoy that variants with sidecars start; null where none was asked for, or none was found. */
  readonly envoy: string | null;
  /** Of a comparison with mutual TLS; null of the others. */
  readonly authority: BenchAuthority | null;
  readonly protocol: Protocol;
}

/** A slot with all that it cost. */
export interface MeasuredSlot extends SlotResult {
  /** CPU time of the sidecars that its requests passed; 0 where there are none. */
  readonly sidecarCpuMicros: number;
  /** CPU time of the servers, where it is counted; 0 elsewhere. */
  readonly serverCpuMicros: number;
}

/** What is known of a variant after its last slot. */
export interface Checked {
  /** What must hold: that the servers saw all of its requests, and what it checks itself. */
  readonly facts: readonly Fact[];
  /** How many connections the servers have had from it, or from the sidecar before them; null without servers. */
  readonly connections: number | null;
}

/** One variant in its process, with its sidecars if it has any, as the rounds see it. */
export class Contestant {
  readonly name: string;
  readonly #child: Child<VariantOrder, VariantAnswer>;
  readonly #path: string;
  readonly #servers: Servers | null;
  readonly #sidecars: EnvoyPair | null;
  /** Those that are its own end with it. */
  readonly #ownServers: Servers | null;
  readonly #countsServers: boolean;
  readonly #asksOne: boolean;

  private constructor(
    name: string,
    child: Child<VariantOrder, VariantAnswer>,
    path: string,
    { servers, ownServers, sidecars, countsServers, asksOne }: Behind,
  ) {
    this.name = name;
    this.#child = child;
    this.#path = path;
    this.#servers = servers;
    this.#ownServers = ownServers;
    this.#sidecars = sidecars;
    this.#countsServers = countsServers;
    this.#asksOne = asksOne;
  }

  static async open(variant: ComparedVariant, path: string, around: Surroundings): Promise<Contestant> {
    const { name, module, hasSidecars, servedBy, asksOne = false } = variant;
    const { authority, protocol } = around;
    const ownServers = servedBy && authority ? await Servers.start({ by: servedBy, authority: authority.folder }, protocol) : null;
    const servers = ownServers ?? around.servers;
    const sidecars = hasSidecars ? await startSidecars(name, around) : null;
    try {
      const addresses = sidecars ? [sidecars.address] : (servers?.addresses ?? []);
      const setup: Setup = { addresses, path, authority: authority?.folder ?? null };
      const file = fileURLToPath(new URL(`./variants/${module}.ts`, import.meta.url));
      const { child } = await Child.start<VariantOrder, VariantAnswer>(name, "./worker.ts", [file, JSON.stringify(setup)], OPEN_MS);
      return new Contestant(name, child, path, { servers, ownServers, sidecars, countsServers: authority !== null, asksOne });
    } catch (error) {
      await Promise.all([sidecars?.close(), ownServers?.close()]);
      throw error;
    }
  }

  async slot(slot: SlotOrder): Promise<MeasuredSlot> {
    const before = { sidecars: this.#sidecars?.cpuMicros() ?? 0, servers: this.#serverCpuMicros() };
    const answer = await this.#child.ask({ kind: "slot", slot }, slot.durationMs + PATIENCE_MS);
    if (answer.kind !== "slot") throw new Error(`${this.name} answered a slot with ${answer.kind}`);
    return {
      ...answer.result,
      sidecarCpuMicros: (this.#sidecars?.cpuMicros() ?? 0) - before.sidecars,
      serverCpuMicros: this.#serverCpuMicros() - before.servers,
    };
  }

  #serverCpuMicros(): number {
    return this.#countsServers ? (this.#servers?.cpuMicros() ?? 0) : 0;
  }

  async check(): Promise<Checked> {
    const counts = (await this.#servers?.countsOf(this.#path)) ?? {};
    const answer = await this.#child.ask({ kind: "verify", counts }, PATIENCE_MS);
    if (answer.kind !== "facts") throw new Error(`${this.name} answered a verification with ${answer.kind}`);
    const facts = this.#servers ? [arrivals(answer.requests, counts, this.#asksOne), ...answer.facts] : answer.facts;
    return {
      facts: this.#sidecars ? [...facts, ...(await this.#sidecars.facts(answer.requests))] : facts,
      connections: this.#servers ? Object.values(counts).reduce((sum, { connections }) => sum + connections, 0) : null,
    };
  }

  async close(): Promise<void> {
    await this.#child.stop({ kind: "close" });
    await Promise.all([this.#sidecars?.close(), this.#ownServers?.close()]);
  }
}

/** What is behind a variant. */
interface Behind {
  /** null in the stub suite. */
  readonly servers: Servers | null;
  readonly ownServers: Servers | null;
  readonly sidecars: EnvoyPair | null;
  readonly countsServers: boolean;
  readonly asksOne: boolean;
}

function startSidecars(name: string, { servers, envoy, authority, protocol }: Surroundings): Promise<EnvoyPair> {
  if (!servers || envoy === null) throw new Error(`${name} needs servers and an Envoy`);
  return EnvoyPair.start(envoy, servers.addresses, authority, protocol);
}

function arrivals(requests: number, counts: ServerCounts, asksOne: boolean): Fact {
  const perServer = Object.values(counts).map((count) => count.requests);
  const sum = perServer.reduce((total, count) => total + count, 0);
  return {
    name: asksOne ? "the first server saw every request once" : "every server was asked, and together they saw every request once",
    holds: sum === requests && (asksOne ? perServer[0] === sum : perServer.every((count) => count > 0)),
    seen: `${requests} requests, at the servers ${perServer.join(" + ")}`,
  };
}
