import type { JoinedMesh } from "heddle";
import { describe, expect, test } from "vitest";
import { DOORS, type Door, type Outcome } from "./doors.ts";
import { type RawConnection, type RawEndpoint, type Script, turns } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes, until, WELL, WELL_KEPT, wellKept } from "./setup.ts";

// Connections that are kept for the next request, and what endpoints do to them meanwhile.

nothingEscapes();

const SMUGGLED = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const URL = "http://reviews/";

/** Answers the first request with this, and every other as it should. */
function first(answer: string): Script {
  return async (connection) => {
    await connection.request();
    await connection.write(answer);
    await wellKept(connection);
  };
}

/** Works on the second request for a while, and leaves without a word. */
async function answersOnce(connection: RawConnection): Promise<void> {
  await connection.request();
  await connection.write(WELL_KEPT);
  await connection.request();
  await new Promise((resolve) => setTimeout(resolve, 20));
  connection.reset();
}

/** Answers one request; resets with the next one's head, which is what a connection does that died meanwhile. */
async function stale(connection: RawConnection): Promise<void> {
  await connection.request();
  await connection.write(WELL_KEPT);
  if (await connection.head()) connection.reset();
}

/** When it returns, its connection is free for the next one. */
async function get(door: Door, mesh: JoinedMesh): Promise<Outcome> {
  const outcome = await door.send(mesh, { method: "GET", url: URL });
  await turns();
  return outcome;
}

const GOOD = { status: 200, body: "well" };

async function ends(mesh: JoinedMesh, endpoints: readonly RawEndpoint[]): Promise<void> {
  await atRest(mesh);
  await closes(mesh, endpoints);
}

/** More than the answer has. */
const SURPLUS = [
  ["a whole answer after the body", `${WELL_KEPT}${SMUGGLED}`],
  ["half an answer after the body", `${WELL_KEPT}HTTP/1.1 200 OK\r\ncontent-le`],
  ["more body than its length", `${WELL_KEPT}more of it`],
  ["an answer after the last chunk", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n${SMUGGLED}`],
  ["an answer after one of no length", `HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell${SMUGGLED.repeat(50)}`],
] as const;

/** What comes while nobody has asked. */
const UNASKED = [
  ["a second answer", SMUGGLED],
  ["a 408", TIMED_OUT],
  ["a 103", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ["garbage", "\x15\x03\x01\x00\x02\x02\x0a"],
] as const;

describe.each(DOORS)("through $name", (door) => {
  test.each(SURPLUS)("%s is never the next request's answer", async (_what, bytes) => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint]);
    endpoint.next(first(bytes));
    for (let call = 0; call < 4; call++) expect(await get(door, mesh)).toMatchObject(GOOD);
    await ends(mesh, [endpoint]);
  });

  test.each(UNASKED)("%s on an idle connection is never the next request's answer", async (_what, bytes) => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint]);
    const kept = Promise.withResolvers<RawConnection>();
    endpoint.next((connection) => {
      kept.resolve(connection);
      return wellKept(connection);
    });
    expect(await get(door, mesh)).toMatchObject(GOOD);
    await (await kept.promise).writeSeen(bytes);
    for (let call = 0; call < 3; call++) expect(await get(door, mesh)).toMatchObject(GOOD);
    expect(endpoint.connections).toBe(2);
    await ends(mesh, [endpoint]);
  });

  test("an endpoint that says it closes is asked on another connection, even if it does not close", async () => {
    const endpoint = await endpointOf(async (connection) => {
      await connection.request();
      await connection.write(WELL);
    });
    const mesh = await join([endpoint]);
    for (let call = 0; call < 3; call++) expect(await get(door, mesh)).toMatchObject(GOOD);
    expect(endpoint.connections).toBe(3);
    await until(() => endpoint.open === 0);
    await ends(mesh, [endpoint]);
  });

  test.each(["RST", "FIN"])("an idle connection that ends by %s as the next request leaves costs no GET", async (kind) => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint]);
    const kept = Promise.withResolvers<RawConnection>();
    endpoint.next((connection) => {
      kept.resolve(connection);
      return wellKept(connection);
    });
    expect(await get(door, mesh)).toMatchObject(GOOD);
    if (kind === "RST") (await kept.promise).reset();
    else (await kept.promise).end();
    const outcome = await get(door, mesh);
    if (door.isWhole) expect(outcome).toMatchObject(GOOD);
    // node:http may have written it already, and repeats nothing.
    else expect([200, null]).toContain(outcome.status);
    await ends(mesh, [endpoint]);
  });
});

describe.each(DOORS.filter(({ isWhole }) => isWhole))("through $name", (door) => {
  // node:http writes at once, and takes for the answer whatever it finds then.
  test("a second answer that comes as the next request leaves is not its answer", async () => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint]);
    const kept = Promise.withResolvers<RawConnection>();
    endpoint.next((connection) => {
      kept.resolve(connection);
      return wellKept(connection);
    });
    expect(await get(door, mesh)).toMatchObject(GOOD);
    void (await kept.promise).write(SMUGGLED);
    expect(await get(door, mesh)).toMatchObject(GOOD);
    await ends(mesh, [endpoint]);
  });

  test("a GET whose kept connection died is repeated, outside of the budget", async () => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint], { retry: { maxRetries: 1, budget: { percent: 0, minPerSecond: 1 } } });
    endpoint.next(stale);
    await get(door, mesh);
    const before = mesh.inspect().backends[0]?.retryBudget.available;
    expect(await get(door, mesh)).toMatchObject({ ...GOOD, attempts: ["reset", "200"] });
    expect(mesh.inspect().backends[0]?.retryBudget.available).toBe(before);
    expect(inspected(mesh)[0]?.failures).toBe(1);
    await ends(mesh, [endpoint]);
  });

  test("an endpoint that reads every second request of a connection and then cuts it is found out", async () => {
    const [broken, good] = [await endpointOf(answersOnce), await endpointOf(wellKept)];
    const mesh = await join([broken, good], {
      balancer: { policy: "round-robin" },
      outlier: { consecutiveFailures: 1 },
      breaker: { failurePercent: 5, minRequests: 1_000 },
    });
    for (let call = 0; call < 8; call++) await door.send(mesh, { method: "POST", url: URL, body: String(call) });
    expect(inspected(mesh).map(({ state }) => state)).toEqual(["ejected", "ready"]);
    await ends(mesh, [broken, good]);
  });

  test("a POST whose kept connection died after it was sent is not repeated", async () => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint], { retry: { maxRetries: 2 } });
    endpoint.next(stale);
    await get(door, mesh);
    const outcome = await door.send(mesh, { method: "POST", url: URL, body: "once" });
    expect(outcome).toMatchObject({ code: "connection_reset", attempts: ["reset"] });
    expect(endpoint.heads.filter(({ method }) => method === "POST")).toHaveLength(1);
    expect(await get(door, mesh)).toMatchObject(GOOD);
    await ends(mesh, [endpoint]);
  });

  test("a POST of which the route says that it may be repeated is", async () => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint], { retry: { maxRetries: 0, methods: ["GET", "POST"] } });
    endpoint.next(stale);
    await get(door, mesh);
    const outcome = await door.send(mesh, { method: "POST", url: URL, body: "twice" });
    expect(outcome).toMatchObject({ ...GOOD, attempts: ["reset", "200"] });
    expect(endpoint.requests.filter(({ body }) => body === "twice")).toHaveLength(1);
    await ends(mesh, [endpoint]);
  });

  test("a kept connection that dies in the middle of the answer's head is no stale one", async () => {
    const endpoint = await endpointOf(wellKept);
    const mesh = await join([endpoint]);
    endpoint.next(async (connection) => {
      await connection.request();
      await connection.write(WELL_KEPT);
      await connection.request();
      await connection.writeSeen("HTTP/1.1 200 OK\r\nconten");
      connection.reset();
    });
    await get(door, mesh);
    expect(await get(door, mesh)).toMatchObject({ code: "connection_reset", attempts: ["reset"] });
    await ends(mesh, [endpoint]);
  });

  test.each([1, 3])("where all kept connections of %i endpoints died at once, no GET fails, and none costs budget", async (count) => {
    const endpoints = await Promise.all(Array.from({ length: count }, () => endpointOf(wellKept)));
    const mesh = await join(endpoints, {
      balancer: { policy: "round-robin" },
      retry: { maxRetries: 2, budget: { percent: 0, minPerSecond: 1 } },
    });
    const width = 8 * count;
    for (const endpoint of endpoints) endpoint.next(...Array.from({ length: 8 }, () => stale));
    const all = () => Promise.all(Array.from({ length: width }, () => get(door, mesh)));
    for (const outcome of await all()) expect(outcome).toMatchObject(GOOD);
    expect(endpoints.map(({ connections }) => connections)).toEqual(endpoints.map(() => 8));
    const before = mesh.inspect().backends[0]?.retryBudget.available;

    // One after the other first: each meets whatever of the old connections is left.
    for (let call = 0; call < 2; call++) expect(await get(door, mesh)).toMatchObject(GOOD);
    for (const outcome of await all()) expect(outcome, JSON.stringify(outcome.attempts)).toMatchObject(GOOD);
    expect(mesh.inspect().backends[0]?.retryBudget.available).toBe(before);
    expect(inspected(mesh).map(({ state }) => state)).not.toContain("ejected");
    await ends(mesh, endpoints);
  });
});
