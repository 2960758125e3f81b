import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh, type Mesh, type Problem, type Resolve } from "@heddle/core";
import { httpTransport, meshRequest } from "@heddle/http";
import { expect, onTestFinished, test } from "vitest";
import { fastClock } from "../callers/fast-clock.ts";
import { type DnsAnswer, dnsServer } from "./dns-server.ts";

/** A second of the mesh, by which names are looked up again at the earliest, is 50 ms. */
const FASTER = 20;
/** Of requests one after the other: a second connection may be made while the first is not quite free again. */
const MOST_CONNECTIONS = 2;

interface Endpoints {
  readonly port: number;
  /** To the first one, so far. */
  readonly connections: () => number;
}

/** Servers on 127.0.0.1 and 127.0.0.2, on one port; each answers its address. */
async function endpoints(): Promise<Endpoints> {
  let connections = 0;
  let port = 0;
  const servers: Server[] = [];
  for (const host of ["127.0.0.1", "127.0.0.2"]) {
    const server = createServer((_request, response) => response.end(host));
    if (servers.length === 0) server.on("connection", () => connections++);
    server.listen(port, host);
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
    servers.push(server);
  }
  onTestFinished(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  return { port, connections: () => connections };
}

interface Given {
  readonly mesh: Mesh;
  readonly problems: Problem[];
  readonly ask: () => Promise<string>;
  readonly addresses: () => readonly string[];
}

async function join(port: number, resolve?: Resolve): Promise<Given> {
  const problems: Problem[] = [];
  const config = { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ dns: `reviews.test:${port}` }] } } };
  const mesh = createMesh({
    config,
    transport: httpTransport(),
    clock: fastClock(FASTER),
    resolve,
    onProblem: (problem) => void problems.push(problem),
  });
  await mesh.ready();
  onTestFinished(() => mesh.close({ limit: 0 }));
  const request = meshRequest(mesh);
  const ask = async () => (await request("http://reviews/")).text();
  return {
    mesh,
    problems,
    ask,
    addresses: () => mesh.inspect().backends.flatMap((backend) => backend.endpoints.map(({ address }) => address)),
  };
}

const good = (...addresses: string[]): DnsAnswer => ({ kind: "addresses", addresses });
const soon = (check: () => unknown) => expect.poll(check, { timeout: 8_000, interval: 10 });

const LIES: Record<string, DnsAnswer> = {
  "says NXDOMAIN": { kind: "refusal", code: "NXDOMAIN" },
  "says SERVFAIL": { kind: "refusal", code: "SERVFAIL" },
  "refuses to answer": { kind: "refusal", code: "REFUSED" },
  "says nothing at all": { kind: "silence" },
  "gives an empty answer": { kind: "nothing" },
  "gives records of another type": { kind: "wrong type" },
  "sends bytes that are no answer": { kind: "garbage" },
};

test.each(Object.keys(LIES))(
  "a name server that %s changes nothing, is reported once, and is believed again when it is well",
  async (lie) => {
    const { port, connections } = await endpoints();
    const server = await dnsServer(good("127.0.0.1"));
    const { mesh, problems, ask, addresses } = await join(port);
    expect(await ask()).toBe("127.0.0.1");
    server.answer = LIES[lie] as DnsAnswer;
    await soon(() => problems.length).toBe(1);
    expect(problems[0]?.message).toContain("what it resolved to last stays in use");
    const asked = server.questions();
    await soon(server.questions).toBeGreaterThan(asked);
    for (let count = 0; count < 5; count++) expect(await ask()).toBe("127.0.0.1");
    expect(problems).toHaveLength(1);
    expect(connections()).toBeLessThanOrEqual(MOST_CONNECTIONS);
    server.answer = good("127.0.0.2");
    await soon(addresses).toEqual([`127.0.0.2:${port}`]);
    expect(await ask()).toBe("127.0.0.2");
    expect(mesh.inspect().problems).toEqual([]);
  },
);

test("a TTL of 0 is asked for again once a second and no more", async () => {
  const { port } = await endpoints();
  const server = await dnsServer({ kind: "addresses", addresses: ["127.0.0.1"], ttlSeconds: 0 });
  const { mesh } = await join(port);
  const startedAt = mesh.clock.now();
  await soon(server.questions).toBeGreaterThan(10);
  expect(server.questions()).toBeLessThanOrEqual((mesh.clock.now() - startedAt) / 1_000 + 2);
});

test("answers that flap and repeat themselves fail no request and cost the endpoint that stays no connection", async () => {
  const { port, connections } = await endpoints();
  const server = await dnsServer(good("127.0.0.1"));
  const { ask, problems } = await join(port);
  await ask();
  const flaps = [
    good("127.0.0.1", "127.0.0.1"),
    good("127.0.0.2", "127.0.0.1", "127.0.0.2"),
    good("127.0.0.1"),
    good("127.0.0.1", "127.0.0.2"),
  ];
  let answered = 0;
  for (let flap = 0; flap < 16; flap++) {
    server.answer = flaps[flap % flaps.length] as DnsAnswer;
    const asked = server.questions();
    for (let count = 0; server.questions() < asked + 1 && count < 10_000; count++) {
      expect(["127.0.0.1", "127.0.0.2"]).toContain(await ask());
      answered++;
    }
  }
  expect(answered).toBeGreaterThan(30);
  expect(problems).toEqual([]);
  expect(connections()).toBeLessThanOrEqual(MOST_CONNECTIONS);
});

test("thousands of addresses, most of them twice, are that many endpoints, without a connection until they are picked", async () => {
  const { port } = await endpoints();
  const given = Array.from({ length: 5_000 }, (_, index) => `127.1.${Math.floor(index / 200)}.${(index % 200) + 1}`);
  const resolve: Resolve = {
    addresses: async () => [...given, ...given].map((address) => ({ address, ttlSeconds: 1 })),
    services: () => Promise.reject(new Error("no SRV here")),
  };
  const startedAt = performance.now();
  const { mesh, addresses } = await join(port, resolve);
  mesh.explain({ method: "GET", url: "http://reviews/", headers: {} });
  await soon(() => addresses().length).toBe(5_000);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  const { revision } = mesh.inspect();
  const until = mesh.clock.now() + 5_000;
  await soon(() => mesh.clock.now()).toBeGreaterThan(until);
  // The same answer is no change.
  expect(mesh.inspect().revision).toBe(revision);
  expect(
    mesh
      .inspect()
      .backends.flatMap((backend) => backend.endpoints.map(({ connections }) => connections))
      .some((count) => count > 0),
  ).toBe(false);
});
