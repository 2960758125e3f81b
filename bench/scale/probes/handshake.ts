import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { identity, joinMesh } from "heddle";
import { Pool } from "undici";
import { BenchAuthority } from "../../credentials.ts";
import { CALLER, mutualDocument, SERVICE } from "../../document.ts";
import { readCredentials } from "../../handed-credentials.ts";
import { runSlot } from "../../load.ts";
import { ANSWER, expectAnswer } from "../../variant.ts";
import type { OpenProbe } from "../probe.ts";

export interface HandshakeParameters {
  /** Whose both ends are: two meshes by mutual TLS, undici and node:https by the same certificates, or undici and node:http in plaintext. */
  readonly by: "mesh" | "node" | "plaintext";
}

const CONCURRENCY = 4;
/** Kept connections may be more than requests in flight: one that was dialled for a request which another served. */
const MOST_KEPT = 3 * CONCURRENCY;
const KEPT = "/bench/kept";
/** The server ends the connection with its answer. */
const ENDED = "/bench/ended";

/** Both ends, in this process: so their CPU time is one figure. */
interface Ends {
  get(path: string): Promise<void>;
  /** How many connections the server has had. */
  connections(): number;
  close(): Promise<void>;
}

/** What a connection costs both ends: a request on a connection of its own, less one on a kept connection. */
export const open: OpenProbe<HandshakeParameters> = async ({ parameters: { by } }) => {
  const authority = new BenchAuthority();
  const ends = await ENDS[by](authority.folder);
  const millis = async (path: string, durationMs: number): Promise<number> => {
    const before = ends.connections();
    const slot = { concurrency: CONCURRENCY, durationMs };
    const { cpuMicros, requests } = await runSlot({ call: () => ends.get(path), async close() {} }, slot);
    const opened = ends.connections() - before;
    if (path === ENDED && opened < requests - MOST_KEPT) throw new Error(`${opened} connections for ${requests} requests`);
    if (path === KEPT && opened > MOST_KEPT) throw new Error(`${opened} connections for requests that keep them`);
    return cpuMicros / requests / 1_000;
  };
  return {
    async round(durationMs) {
      const kept = await millis(KEPT, durationMs / 4);
      return { connection: (await millis(ENDED, (3 * durationMs) / 4)) - kept };
    },
    async close() {
      await ends.close();
      authority[Symbol.dispose]();
    },
  };
};

const serve: RequestListener = (request, response) => {
  if (request.url === ENDED) response.setHeader("connection", "close");
  response.writeHead(200, { "content-length": ANSWER.length });
  response.end(ANSWER);
};

const ENDS: Readonly<Record<HandshakeParameters["by"], (authority: string) => Promise<Ends>>> = {
  mesh: betweenMeshes,
  node: (authority) => {
    const server = readCredentials(authority, SERVICE);
    const client = readCredentials(authority, CALLER);
    const demand = { requestCert: true, rejectUnauthorized: true };
    const https = createTlsServer({ cert: server.certificate, key: server.key, ca: server.roots, ...demand }, serve);
    const connect = { cert: client.certificate, key: client.key, ca: client.roots, checkServerIdentity: () => undefined };
    // A resumed session would be half of a handshake.
    return fromUndici(https, "https", { connect: { ...connect, maxCachedSessions: 0 }, allowH2: false });
  },
  plaintext: () => fromUndici(createServer(serve), "http", {}),
};

async function betweenMeshes(authority: string): Promise<Ends> {
  const dev = (service?: string) => identity.dev({ dir: authority, ...(service === undefined ? {} : { service }) });
  const onProblem = (): void => {};
  const serving = await joinMesh({ service: SERVICE, config: mutualDocument([]), identity: dev(), onProblem });
  const server = createServer(serve);
  serving.attach(server);
  const { address, connections } = await listen(server);
  const calling = await joinMesh({ config: mutualDocument([address]), identity: dev(CALLER), onProblem });
  return {
    async get(path) {
      const reply = await calling.request(`http://${SERVICE}${path}`);
      expectAnswer(reply.status, (await reply.bytes()).length);
    },
    connections,
    async close() {
      await calling.close();
      await serving.close();
    },
  };
}

async function fromUndici(server: ReturnType<typeof createServer>, scheme: string, options: Pool.Options): Promise<Ends> {
  const { address, connections } = await listen(server);
  const pool = new Pool(`${scheme}://${address}`, options);
  return {
    async get(path) {
      const { statusCode, body } = await pool.request({ method: "GET", path });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    connections,
    async close() {
      await pool.destroy();
      server.close();
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<{ readonly address: string; connections(): number }> {
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}
