import { joinMesh } from "heddle";
import { Pool } from "undici";
import { runSlot } from "../../load.ts";
import { expectAnswer } from "../../variant.ts";
import { inTurn } from "../../variants/in-turn.ts";
import type { OpenProbe } from "../probe.ts";
import { SERVICE } from "./generated.ts";

export interface SocketParameters {
  readonly client: "mesh" | "undici";
  readonly concurrency: number;
}

/** As `limits.maxConnections` has it by default, so that both clients queue alike. */
const CONNECTIONS = 100;
const MOST_PENDING = 2_000;
const PATH = "/bench/scale";

/** CPU of the client for each request over sockets to three servers: `mesh.request`, or `Pool.request` of undici in turn. */
export const open: OpenProbe<SocketParameters> = async ({ parameters: { client, concurrency }, addresses }) => {
  const { call, close } = client === "mesh" ? await meshClient(addresses) : undiciClient(addresses);
  return {
    async round(durationMs) {
      const { cpuMicros, requests } = await runSlot({ call, close }, { concurrency, durationMs });
      return { request: cpuMicros / requests };
    },
    close,
  };
};

interface Client {
  call(): Promise<void>;
  close(): Promise<void>;
}

async function meshClient(addresses: readonly string[]): Promise<Client> {
  const endpoints = addresses.map((address) => ({ address }));
  // Before the first connections are open, all that are in flight wait for one.
  const service = { endpoints, timeout: "10s", retry: {}, limits: { maxPending: MOST_PENDING } };
  const config = { apiVersion: "heddle/v1", services: { [SERVICE]: service } };
  const mesh = await joinMesh({ config });
  return {
    async call() {
      const reply = await mesh.request(`http://${SERVICE}${PATH}`);
      expectAnswer(reply.status, (await reply.bytes()).length);
    },
    close: () => mesh.close(),
  };
}

function undiciClient(addresses: readonly string[]): Client {
  const pools = addresses.map((address) => new Pool(`http://${address}`, { connections: CONNECTIONS, allowH2: false }));
  const next = inTurn(pools);
  return {
    async call() {
      const { statusCode, body } = await next().request({ method: "GET", path: PATH });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}
