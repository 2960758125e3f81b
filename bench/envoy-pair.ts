import { performance } from "node:perf_hooks";
import type { BenchAuthority } from "./credentials.ts";
import { CALLER, FORBIDDEN, SERVICE, TOTAL_MS } from "./document.ts";
import { Envoy } from "./envoy.ts";
import { egressBootstrap, ingressBootstrap } from "./envoy-config.ts";
import type { Fact } from "./protocol.ts";
import type { Protocol } from "./servers.ts";
import { type SidecarProbe, sidecarProbe } from "./sidecar-probe.ts";

const FLAKY_PROBES = 100;
/** Five in a row at one of three endpoints, whatever the picks. */
const BROKEN_PROBES = 40;

/**
 * Two sidecars, with plaintext or mutual TLS between them: one beside the client, which has the mesh's policies and balances over three listeners of the other, which
 * stands beside the servers.
 */
export class EnvoyPair {
  readonly #egress: Envoy;
  readonly #ingress: Envoy;

  readonly #isMutual: boolean;
  readonly #probes: SidecarProbe;

  private constructor(egress: Envoy, ingress: Envoy, isMutual: boolean, protocol: Protocol) {
    this.#egress = egress;
    this.#ingress = ingress;
    this.#isMutual = isMutual;
    this.#probes = sidecarProbe(this.address, protocol);
  }

  /** `authority`: between the two there is mutual TLS, with certificates of it. */
  static async start(
    command: string,
    servers: readonly string[],
    authority: BenchAuthority | null,
    protocol: Protocol,
  ): Promise<EnvoyPair> {
    const ingress = await Envoy.start(command, ingressBootstrap(servers, authority?.issue(SERVICE) ?? null, protocol));
    try {
      const egress = await Envoy.start(command, egressBootstrap(ingress.listeners, authority?.issue(CALLER) ?? null, protocol));
      return new EnvoyPair(egress, ingress, authority !== null, protocol);
    } catch (error) {
      await ingress.stop();
      throw error;
    }
  }

  /** What the client dials. */
  get address(): string {
    return this.#egress.listeners[0] ?? "";
  }

  /** Of both, so far. */
  cpuMicros(): number {
    return this.#egress.cpuMicros() + this.#ingress.cpuMicros();
  }

  /** Checks from the Envoys' own counters that each policy acted. Sends probes once the client's requests are accounted for. */
  async facts(requests: number): Promise<readonly Fact[]> {
    const passage = await this.#passageFact(requests);
    const mutual = this.#isMutual ? [await this.#mutualFact(requests)] : [];
    return [passage, ...mutual, await this.#retryFact(), await this.#outlierFact(), await this.#deadlineFact()];
  }

  async close(): Promise<void> {
    this.#probes.close();
    await Promise.all([this.#egress.stop(), this.#ingress.stop()]);
  }

  async #passageFact(requests: number): Promise<Fact> {
    const out = await this.#egress.stat("http.egress.downstream_rq_2xx");
    const between = await this.#egress.stat(`cluster.${SERVICE}.upstream_rq_completed`);
    const ins = await Promise.all(this.#ingress.listeners.map((_, index) => this.#ingress.stat(`http.ingress-${index}.downstream_rq_2xx`)));
    const inside = ins.reduce((sum, count) => sum + count, 0);
    return {
      name: "every request passed through both Envoys once",
      holds: out === requests && between === requests && inside === requests && ins.every((count) => count > 0),
      seen: `${requests} requests, ${out} from the client, ${between} sent on, ${ins.join(" + ")} before the servers`,
    };
  }

  async #mutualFact(requests: number): Promise<Fact> {
    const handshakes = await this.#egress.stat(`cluster.${SERVICE}.ssl.handshake`);
    const allowed = await Promise.all(this.#ingress.listeners.map((_, index) => this.#ingress.stat(`http.ingress-${index}.rbac.allowed`)));
    const passed = allowed.reduce((sum, count) => sum + count, 0);
    const forbidden = await this.#probes.ask(FORBIDDEN);
    return {
      name: "mutual TLS and authorization between the two acted",
      // Each request is allowed by the deny filter and by the allow filter.
      holds: handshakes > 0 && passed >= 2 * requests && forbidden === this.#probes.refused,
      seen: `${handshakes} handshakes, ${passed} times allowed, ${FORBIDDEN}: ${forbidden}`,
    };
  }

  async #retryFact(): Promise<Fact> {
    const retries = (): Promise<number> => this.#egress.stat(`cluster.${SERVICE}.upstream_rq_retry`);
    const statuses: string[] = [];
    for (let probe = 0; probe < FLAKY_PROBES && (await retries()) === 0; probe++) statuses.push(await this.#probes.ask("/probe/flaky"));
    const good = statuses.filter((status) => status === this.#probes.good).length;
    return {
      name: "retry: an endpoint that is unavailable is not noticed",
      holds: good === statuses.length && (await retries()) > 0,
      seen: `${good} of ${statuses.length} probes were answered well, ${await retries()} retries`,
    };
  }

  async #outlierFact(): Promise<Fact> {
    for (let probe = 0; probe < BROKEN_PROBES; probe++) await this.#probes.ask("/probe/broken");
    const ejected = await this.#egress.stat(`cluster.${SERVICE}.outlier_detection.ejections_active`);
    return {
      name: "outlier detection: of endpoints that all fail, one is ejected",
      holds: ejected === 1,
      seen: `${ejected} ejected`,
    };
  }

  async #deadlineFact(): Promise<Fact> {
    const startedAt = performance.now();
    const status = await this.#probes.ask("/probe/hang");
    const elapsedMs = Math.round(performance.now() - startedAt);
    return {
      name: "deadline: an endpoint that never answers is given up in time",
      holds: status === this.#probes.givenUp && elapsedMs >= TOTAL_MS - 50 && elapsedMs < TOTAL_MS + 1_000,
      seen: `${status} after ${elapsedMs} ms`,
    };
  }
}
