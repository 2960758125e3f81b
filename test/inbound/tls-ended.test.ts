import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { createMesh, type Mesh } from "@heddle/core";
import { listen } from "@heddle/http";
import { afterEach, expect, test, vi } from "vitest";
import { inboundPolicyOf, snapshotOf } from "../../packages/core/test/builders.ts";
import { fakeTransport } from "../../packages/core/test/fake-transport.ts";
import { handSource } from "../../packages/core/test/hand-source.ts";
import { bundlesOf, type HandCertificates, handCertificates, leafNow, rootNow, stateOf } from "../../packages/core/test/workload.ts";
import { type VirtualClock, virtualClock } from "../../packages/testing/src/virtual-clock.ts";
import { get } from "./raw-client.ts";
import { asNobody, REVIEWS, type SecureClient, secureClient, WEB } from "./secure-mesh.ts";

// Connections that are open when what was proved on them ends: a certificate of either side, or the root that signed one.

const MINUTE = 60_000;
const [shop, other] = [rootNow("shop root"), rootNow("other root")];
const both = { "shop.example": [shop, other] };
/** Of the root that stays. */
const stays = leafNow(other, WEB);
const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

interface Running {
  readonly port: number;
  readonly mesh: Mesh;
  readonly clock: VirtualClock;
  readonly identity: HandCertificates;
  /** Answers that the application has not given yet. */
  readonly waiting: ServerResponse[];
  readonly upgraded: Duplex[];
  readonly called: () => number;
  /** Moves the wall clock alone: nobody has looked since. */
  jump(ms: number): void;
  /** Takes the root of the shop away. */
  withdraw(): void;
}

async function running({ mtls = "strict" as "strict" | "permissive", livesMs = 30 * MINUTE } = {}): Promise<Running> {
  const own = leafNow(other, REVIEWS, { notAfterMs: Date.now() + livesMs });
  const time = virtualClock();
  let wallMs = Date.now();
  const clock: VirtualClock = Object.assign(time, { wallTime: () => wallMs + time.now() });
  const identity = handCertificates(stateOf([own], both));
  const policy = snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews", { mtls })] });
  const mesh = createMesh({
    service: "reviews",
    config: handSource(policy) as never,
    transport: fakeTransport() as never,
    identity: identity as never,
    clock,
    onProblem: () => {},
  });
  await mesh.ready();
  const waiting: ServerResponse[] = [];
  const upgraded: Duplex[] = [];
  let calls = 0;
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    calls++;
    if (request.url === "/quick") response.end("done.");
    else waiting.push(response);
    if (request.url === "/stream") response.write("first.");
  };
  const listener = await listen(mesh, answer, { host: "127.0.0.1" });
  // What ends a connection must not be that nothing came for a while.
  listener.server.keepAliveTimeout = 0;
  listener.server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => {
    upgraded.push(socket.on("error", () => {}));
    socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\nswitched.");
  });
  closings.push(() => {
    const closed = mesh.close();
    listener.destroy();
    return closed;
  });
  const withdraw = () =>
    identity.update({ certificate: stateOf([own], both).certificate, bundles: bundlesOf({ "shop.example": [other] }) });
  const jump = (ms: number) => {
    wallMs += ms;
  };
  return { port: listener.port, mesh, clock, identity, waiting, upgraded, called: () => calls, jump, withdraw };
}

async function ask(client: SecureClient, path = "/quick", until = "done."): Promise<string> {
  client.clear();
  client.write(get(path));
  return client.until(until);
}

async function callerOf({ pem: cert, keyPem: key }: typeof stays, port: number): Promise<SecureClient> {
  const client = await secureClient(port, { cert, key, rejectUnauthorized: false });
  await ask(client);
  return client;
}

const leaves = (livesMs = 30 * MINUTE) => leafNow(shop, WEB, { notAfterMs: Date.now() + livesMs });

test("a connection with nothing in flight is closed the moment its root is withdrawn, and no other is", async () => {
  const { port, withdraw, called } = await running();
  const [gone, kept] = [await callerOf(leaves(), port), await callerOf(stays, port)];
  withdraw();
  await gone.ended();
  expect(await ask(kept)).not.toMatch(/connection: close/i);
  expect(called()).toBe(3);
  kept.socket.destroy();
});

test("an answer whose head is out is finished, nothing after it is served, and then the connection is closed", async () => {
  const { port, waiting, withdraw, called } = await running();
  const client = await callerOf(leaves(), port);
  await ask(client, "/stream", "first.");
  withdraw();
  client.write(get("/quick"));
  await vi.waitFor(() => expect(client.socket.writableLength).toBe(0), 10_000);
  waiting[0]?.end("last.");
  const received = await client.ended();
  expect(received).toContain("last.");
  expect(received).not.toContain("done.");
  expect(called()).toBe(2);
});

test("an answer that is under way when its root is withdrawn has five minutes", async () => {
  const { port, clock, waiting, withdraw } = await running();
  const client = await callerOf(leaves(), port);
  await ask(client, "/stream", "first.");
  withdraw();
  await clock.advance(4 * MINUTE);
  expect(waiting[0]?.destroyed).toBe(false);
  await clock.advance(2 * MINUTE);
  await client.ended();
});

test("an answer whose head is not out yet says that the connection ends with it", async () => {
  const { port, waiting, withdraw } = await running();
  const client = await callerOf(leaves(), port);
  client.clear();
  client.write(get("/slow"));
  await vi.waitFor(() => expect(waiting).toHaveLength(1), 10_000);
  withdraw();
  waiting[0]?.end("at last");
  expect(await client.ended()).toMatch(/connection: close.*at last/is);
});

test("what was upgraded is cut the moment its root is withdrawn", async () => {
  const { port, upgraded, withdraw } = await running();
  const client = await callerOf(leaves(), port);
  client.write(get("/chat", ["upgrade: websocket", "connection: upgrade"]));
  await client.until("switched.");
  withdraw();
  await client.ended();
  expect(upgraded[0]?.destroyed).toBe(true);
});

test("a connection with nothing in flight is closed ahead of the end of its caller's certificate, so that no request meets it", async () => {
  const { port, clock } = await running();
  const client = await callerOf(leaves(MINUTE), port);
  await clock.advance(45_000);
  expect(await ask(client)).not.toMatch(/connection: close/i);
  await clock.advance(10_000);
  await client.ended();
});

test("an answer in the last seconds of its caller's certificate says that the connection ends with it", async () => {
  const { port, jump } = await running();
  const client = await callerOf(leaves(MINUTE), port);
  jump(55_000);
  expect(await ask(client)).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
  await client.ended();
});

test("what was upgraded has all the time of its caller's certificate, and is cut within 5 s of its end", async () => {
  const { port, clock, upgraded } = await running();
  const client = await callerOf(leaves(MINUTE), port);
  client.write(get("/chat", ["upgrade: websocket", "connection: upgrade"]));
  await client.until("switched.");
  await clock.advance(58_000);
  expect(upgraded[0]?.destroyed).toBe(false);
  await clock.advance(8_000);
  await client.ended();
});

test("a request that meets the end of its caller's certificate is refused with 403, and closed", async () => {
  const { port, jump, called } = await running();
  const client = await callerOf(leaves(MINUTE), port);
  jump(2 * MINUTE);
  client.clear();
  client.write(get("/quick"));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
  expect(called()).toBe(1);
});

test("an upgrade that meets the end of its caller's certificate is refused with 403, and closed", async () => {
  const { port, jump, upgraded } = await running();
  const client = await callerOf(leaves(MINUTE), port);
  jump(2 * MINUTE);
  client.clear();
  client.write(get("/chat", ["upgrade: websocket", "connection: upgrade"]));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
  expect(upgraded).toEqual([]);
});

test.each(["strict", "permissive"] as const)(
  "a request that meets the end of this side's certificate is refused with 503 (%s)",
  async (mtls) => {
    const { port, jump, called } = await running({ mtls, livesMs: MINUTE });
    const client = mtls === "strict" ? await callerOf(stays, port) : await secureClient(port, asNobody);
    const before = called();
    jump(2 * MINUTE);
    client.clear();
    client.write(get("/quick"));
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 503 .*no_identity/s);
    expect(called()).toBe(before);
  },
);

test("open connections are closed when this side's certificate ends with none in its place", async () => {
  const { port, clock } = await running({ livesMs: MINUTE });
  const client = await callerOf(stays, port);
  await clock.advance(58_000);
  await ask(client);
  await clock.advance(8_000);
  await client.ended();
});
