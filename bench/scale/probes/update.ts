import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import {
  createMesh,
  type Endpoint,
  type Mesh,
  type StaticConfiguration,
  type StaticSource,
  staticSource,
  type Transport,
} from "@heddle/core";
import { httpTransport, meshRequest, type RequestFunction } from "@heddle/http";
import { expectAnswer } from "../../variant.ts";
import { readStub, stubTransport } from "../../variants/stub-transport.ts";
import type { OpenProbe } from "../probe.ts";
import { documentOf, endpoint, SERVICE, snapshotOf, withEndpoints } from "./generated.ts";
import { get, onProblem } from "./mesh-slot.ts";

export interface UpdateParameters {
  /** Endpoints beside those that serve over sockets. */
  readonly endpoints: number;
  /** What happens to them: all are replaced, all get another weight, or the last one does. */
  readonly change: "replaced" | "reweighed" | "one";
  /** What the source gives: a snapshot, as a control plane's translation does, or a document as an object. */
  readonly as: "snapshot" | "document";
}

const LIVE_REQUESTS = 8;
const CALLS_A_TURN = 8;
/** After the update the loop is watched for this long: what the update left to do shows there. */
const WATCHED_MS = 50;

/**
 * One update of many endpoints in a mesh that is serving: some requests go over sockets to endpoints that stay, others to the stub, by
 * every endpoint of the service. Measured are the time from the source's call until the new configuration is in force, and the longest
 * turn of the event loop from then on. No socket of an endpoint that stays may close.
 */
export const open: OpenProbe<UpdateParameters> = async ({ parameters, addresses }) => {
  const source = staticSource(configuration(parameters, addresses, 0));
  let inForceAt = 0;
  const mesh = createMesh({ config: source, transport: mixed(addresses), onProblem, onChange: () => (inForceAt = performance.now()) });
  await mesh.ready();
  const load = new Load(mesh, addresses.length);
  let version = 0;
  return {
    async round(durationMs) {
      const next = configuration(parameters, addresses, ++version);
      await load.run(durationMs);
      const watched = load.run(WATCHED_MS);
      const { calledAt, longestMs, cpuMs } = await updateNow(source, next);
      await watched;
      load.check();
      checkInForce(mesh, parameters, addresses, version);
      return { inForce: inForceAt - calledAt, block: longestMs, cpu: cpuMs };
    },
    async close() {
      await mesh.close();
    },
  };
};

interface Update {
  readonly calledAt: number;
  readonly longestMs: number;
  readonly cpuMs: number;
}

async function updateNow(source: StaticSource, next: StaticConfiguration): Promise<Update> {
  await turn();
  const before = process.cpuUsage();
  const calledAt = performance.now();
  source.update(next);
  const { user, system } = process.cpuUsage(before);
  let longestMs = 0;
  let last = calledAt;
  while (last - calledAt < WATCHED_MS) {
    await turn();
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }
  return { calledAt, longestMs, cpuMs: (user + system) / 1_000 };
}

/** Requests that never stop: over sockets to what stays, and through the stub to everything else. */
class Load {
  readonly #request: RequestFunction;
  readonly #mesh: Mesh;
  readonly #live: number;
  #connected = 0;
  #closed = 0;

  constructor(mesh: Mesh, live: number) {
    this.#mesh = mesh;
    this.#live = live;
    this.#request = meshRequest(mesh);
    subscribe("undici:client:connected", (message) => {
      this.#connected++;
      (message as { readonly socket: Socket }).socket.once("close", () => this.#closed++);
    });
  }

  async run(durationMs: number): Promise<void> {
    const endsAt = performance.now() + durationMs;
    await Promise.all([...Array.from({ length: LIVE_REQUESTS }, () => this.#overSockets(endsAt)), this.#overStub(endsAt)]);
  }

  /** Connections to endpoints that stay must stay, too. */
  check(): void {
    if (this.#connected < this.#live) throw new Error(`only ${this.#connected} connections to ${this.#live} endpoints: nothing to keep`);
    if (this.#closed > 0) throw new Error(`the update cost ${this.#closed} of ${this.#connected} connections`);
  }

  async #overSockets(endsAt: number): Promise<void> {
    do {
      const reply = await this.#request(`http://${SERVICE}/live`);
      expectAnswer(reply.status, (await reply.bytes()).length);
    } while (performance.now() < endsAt);
  }

  async #overStub(endsAt: number): Promise<void> {
    do {
      for (let call = 0; call < CALLS_A_TURN; call++) readStub(await this.#mesh.send(get(SERVICE, "/")));
      await turn();
    } while (performance.now() < endsAt);
  }
}

/** Endpoints with a server get sockets, all others the stub. */
function mixed(live: readonly string[]): Transport {
  const http = httpTransport();
  const stub = stubTransport();
  return { open: (settings) => (live.includes(settings.address) ? http : stub).open(settings) };
}

function endpointsOf({ endpoints: count, change }: UpdateParameters, version: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, number) => {
    const one = endpoint(number, change === "replaced" ? 8_000 + version : 8_000);
    const isChanged = change === "reweighed" || (change === "one" && number === count - 1);
    return isChanged ? { ...one, weight: 1 + (version % 2) } : one;
  });
}

const POLICIES = {
  subsets: { live: { labels: { live: "yes" } } },
  routes: [
    { name: "live", match: { path: { prefix: "/live" } }, to: [{ subset: "live" }] },
    { name: "all", to: [{ service: SERVICE }] },
  ],
};

function configuration(parameters: UpdateParameters, live: readonly string[], version: number): StaticConfiguration {
  const staying = live.map((address): Endpoint => ({ ...endpoint(0), address, labels: { live: "yes" } }));
  const all = [...staying, ...endpointsOf(parameters, version)];
  if (parameters.as === "snapshot") return withEndpoints(snapshotOf(documentOf(POLICIES)), all);
  return documentOf({
    ...POLICIES,
    endpoints: all.map(({ address, weight, labels }) => ({ address, weight, labels })),
  });
}

function checkInForce(mesh: Mesh, parameters: UpdateParameters, live: readonly string[], version: number): void {
  const backend = mesh.inspect().backends.find(({ name }) => name === SERVICE);
  const last = backend?.endpoints.at(-1);
  const wanted = endpointsOf(parameters, version).at(-1);
  const isInForce = backend?.endpoints.length === parameters.endpoints + live.length && last?.address === wanted?.address;
  if (!isInForce) throw new Error(`${backend?.endpoints.length} endpoints are in force, the last ${last?.address}`);
}
