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

/** What a connection costs both ends: requests on connections of their own, less as many on kept connections, for each that was opened. */
export const open: OpenProbe<HandshakeParameters> = async ({ parameters: { by } }) => {
  const authority = new BenchAuthority();
  const ends = await ENDS[by](authority.folder);
  /** Puts kept connections in place, or out of the way. */
  const prepare = async (path: string): Promise<void> => {
    await Promise.all(Array.from({ length: MOST_KEPT }, () => ends.get(path)));
  };
  const slot = async (path: string, durationMs: number): Promise<Slot> => {
    await prepare(path);
    const before = ends.connections();
    const call = (): Promise<void> => ends.get(path);
    const { cpuMicros, requests } = await runSlot({ call, async close() {} }, { concurrency: CONCURRENCY, durationMs });
    return { millis: cpuMicros / 1_000, requests, opened: ends.connections() - before };
  };
  return {
    async round(durationMs) {
      const kept = await slot(KEPT, durationMs / 4);
      const ended = await slot(ENDED, (3 * durationMs) / 4);
      if (kept.opened > CONCURRENCY) throw new Error(`${kept.opened} connections for requests that keep them`);
      if (ended.opened < ended.requests - MOST_KEPT) throw new Error(`${ended.opened} connections for ${ended.requests} requests`);
      return { connection: (ended.millis - (ended.requests * kept.millis) / kept.requests) / ended.opened };
    },
    async close() {
      await ends.close();
      authority[Symbol.dispose]();
    },
  };
};

interface Slot {
  readonly millis: number;
  readonly requests: number;
  readonly opened: number;
}

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
