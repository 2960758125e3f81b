import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect as connectTcp, type Socket } from "node:net";
import { type Application, attach, listen } from "@heddle/http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { virtualClock } from "../../packages/testing/src/virtual-clock.ts";
import { get, rawClient } from "./raw-client.ts";
import { type SecureMesh, secureClient, secureMesh } from "./secure-mesh.ts";

const host = "127.0.0.1";
const ok: Application = (_request, response) => response.end("ok");
/** The first bytes of a handshake that does not go on. */
const HALF_A_HELLO = Buffer.from("1603010200010001fc0303", "hex");

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

function meshOf(...how: Parameters<typeof secureMesh>): SecureMesh {
  const mesh = secureMesh(...how);
  closings.push(() => mesh.close());
  return mesh;
}

interface Idler {
  readonly socket: Socket;
  /** Resolves when the server has closed it. */
  readonly closed: Promise<unknown>;
}

/** A connection that the server has accepted, on which `first` is all that comes. */
async function idler(server: Server, port: number, first: Buffer | null = null): Promise<Idler> {
  const before = await connectionCount(server);
  const socket = connectTcp(port, host);
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  if (first) await new Promise((written) => socket.write(first, written));
  await vi.waitFor(async () => expect(await connectionCount(server)).toBeGreaterThan(before), 10_000);
  return { socket, closed };
}

function connectionCount(server: Server): Promise<number> {
  return new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
}

describe("the time a connection has to get in", () => {
  test.each([
    ["says nothing", null, []],
    ["stops in the middle of its handshake", HALF_A_HELLO, ["127.0.0.1: its handshake took longer than 10 s"]],
  ] as const)("is 10 s for one that %s", async (_what, first, refusals) => {
    const clock = virtualClock();
    let hellos = 0;
    const mesh = meshOf("permissive", { clock });
    const { socketOptions } = mesh.serverTls;
    Object.assign(mesh.serverTls, {
      socketOptions: () => {
        hellos++;
        return socketOptions();
      },
    });
    const { server, port } = await listen(mesh, ok, { host });
    const { closed, socket } = await idler(server, port, first);
    if (first) await vi.waitFor(() => expect(hellos).toBe(1), 10_000);
    await clock.advance("9900ms");
    expect(await connectionCount(server)).toBe(1);
    expect(socket.destroyed).toBe(false);
    await clock.advance("200ms");
    await closed;
    expect(mesh.refusals).toEqual(refusals);
  });

  test("does not run on once it is in", async () => {
    const clock = virtualClock();
    const mesh = meshOf("permissive", { clock });
    const { port } = await listen(mesh, ok, { host });
    const [plain, secure] = [await rawClient(port), await secureClient(port)];
    for (const client of [plain, secure]) {
      client.write(get("/"));
      await client.until("ok");
    }
    await clock.advance("11s");
    for (const client of [plain, secure]) {
      client.clear();
      client.write(get("/"));
      await client.until("ok");
      client.socket.destroy();
    }
  });
});

describe("closing does not wait for connections that have not got in, or have nothing in flight", () => {
  async function openOfEveryKind(server: Server, port: number): Promise<readonly Promise<unknown>[]> {
    const silent = [await idler(server, port), await idler(server, port, HALF_A_HELLO)];
    const idle = [await rawClient(port), await secureClient(port)];
    for (const client of idle) {
      client.write(get("/"));
      await client.until("ok");
    }
    // Its handshake is done, and no request came.
    const ahead = await secureClient(port);
    return [...silent.map(({ closed }) => closed), ...[...idle, ahead].map((client) => client.ended())];
  }

  test("mesh.close", async () => {
    const mesh = secureMesh("permissive");
    const { server, port } = await listen(mesh, ok, { host });
    const ended = await openOfEveryKind(server, port);
    await mesh.close();
    await Promise.all(ended);
    expect(server.listening).toBe(false);
  });

  test("listener.close, while what is in flight gets its answer on both kinds", async () => {
    const mesh = meshOf("permissive");
    const waiting: ServerResponse[] = [];
    const slow: Application = (request, response) => (request.url === "/slow" ? waiting.push(response) : response.end("ok"));
    const { server, port, close } = await listen(mesh, slow, { host });
    const ended = await openOfEveryKind(server, port);
    const active = [await rawClient(port), await secureClient(port)];
    for (const client of active) client.write(get("/slow"));
    await vi.waitFor(() => expect(waiting).toHaveLength(2), 10_000);
    const closed = close();
    for (const response of waiting) response.end("at last");
    for (const client of active) expect(await client.ended()).toMatch(/200 OK.*at last/s);
    await Promise.all([closed, ...ended]);
  });

  test("the server's own close, as frameworks call it, and closeAllConnections", async () => {
    const mesh = meshOf("strict");
    const server = createServer((_request, response) => response.end("ok"));
    attach(mesh, server);
    server.listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const [silent, half] = [await idler(server, port), await idler(server, port, HALF_A_HELLO)];
    server.closeAllConnections();
    await Promise.all([silent.closed, half.closed]);

    const idle = await secureClient(port);
    idle.write(get("/"));
    await idle.until("ok");
    const again = await idler(server, port, HALF_A_HELLO);
    await new Promise((closed) => server.close(closed));
    await Promise.all([idle.ended(), again.closed]);
  });
});

test("the timeouts of the server bound what comes over TLS", async () => {
  const mesh = meshOf("strict");
  const server = createServer({ connectionsCheckingInterval: 50, headersTimeout: 300, keepAliveTimeout: 300 }, (_request, response) =>
    response.end("ok"),
  );
  attach(mesh, server);
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const half = await secureClient(port);
  half.write("GET / HTTP/1.1\r\n");
  expect(await half.ended()).toMatch(/^HTTP\/1\.1 408 /);
  const idle = await secureClient(port);
  idle.write(get("/"));
  expect(await idle.ended()).toMatch(/200 OK.*ok/s);
});
