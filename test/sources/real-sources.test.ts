import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { folderSource, nodeResolve, systemClock } from "@heddle/core";
import { type ControlSourceHarness, controlSourceContract, FIRST_SERVICE, fakeResolve, testMesh } from "@heddle/testing";
import { joinMesh } from "heddle";
import { expect, onTestFinished, test } from "vitest";

const document = (services: object) => JSON.stringify({ apiVersion: "heddle/v1", services });

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-sources-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function serve(answer: string, where: { readonly port: number; readonly host: string } | { readonly path: string }): Promise<Server> {
  const server = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(where, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server listens on no port");
  return address.port;
}

async function eventually(isSo: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 5_000 && !isSo(); waited += 20) await sleep(20);
  expect(isSo(), what).toBe(true);
}

// Real files and real time. Each service stands in a file of its own.
controlSourceContract({
  name: "the folder source",
  test: (name, run) => test.concurrent(name, run),
  open(): ControlSourceHarness {
    const outer = mkdtempSync(join(tmpdir(), "heddle-folder-"));
    const folder = join(outer, "conf.d");
    const path = join(folder, "all.json");
    const write = (services: readonly string[]) => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(
        `${path}.new`,
        document(Object.fromEntries(services.map((name) => [name, { endpoints: [{ address: "127.0.0.1:9081" }] }]))),
      );
      renameSync(`${path}.new`, path);
    };
    write([FIRST_SERVICE]);
    return {
      source: folderSource(`${folder}/`),
      clock: systemClock,
      write: async (services) => write(services),
      breakIt: async () => writeFileSync(path, '{ "services": ['),
      remove: async () => rmSync(folder, { recursive: true }),
      pass: (ms) => sleep(ms),
      close: async () => rmSync(outer, { recursive: true, force: true }),
    };
  },
});

test("files of a folder come, override each other and go, while a document in code stands beside them", async () => {
  const folder = temporaryFolder();
  const [early, late] = [
    portOf(await serve("early", { port: 0, host: "127.0.0.1" })),
    portOf(await serve("late", { port: 0, host: "127.0.0.1" })),
  ];
  writeFileSync(join(folder, "10.json"), document({ reviews: { endpoints: [{ address: `127.0.0.1:${early}` }] } }));
  await using mesh = await joinMesh({
    config: [
      { apiVersion: "heddle/v1", services: { reviews: { timeout: "5s" } } },
      `${folder}/`,
      { source: join(folder, "none.yaml"), optional: true },
    ],
    onProblem: () => {},
  });
  const ask = async () => (await mesh.request("http://reviews/")).text();
  const from = () => mesh.inspect().parts.find(({ part }) => part === "services.reviews.endpoints")?.from;
  expect(await ask()).toBe("early");
  expect(from()).toBe(`${join(folder, "10.json")}:1:50`);
  writeFileSync(join(folder, "20.json"), document({ reviews: { endpoints: [{ address: `127.0.0.1:${late}` }] } }));
  await eventually(() => from() === `${join(folder, "20.json")}:1:50`, "the new file is in force");
  expect(await ask()).toBe("late");
  rmSync(join(folder, "20.json"));
  await eventually(() => from() === `${join(folder, "10.json")}:1:50`, "the removed file is not in force any more");
  expect(await ask()).toBe("early");
  expect(mesh.inspect().sources.map(({ state, optional }) => ({ state, optional }))).toEqual([
    { state: "ok", optional: false },
    { state: "ok", optional: false },
    { state: "waiting", optional: true },
  ]);
});

test("an endpoint on a unix socket is called like any other", async () => {
  const path = join(temporaryFolder(), "Reviews.sock");
  await serve("over a socket", { path });
  await using mesh = await joinMesh({ config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ unix: path }] } } } });
  const reply = await mesh.request("http://reviews/api/7");
  expect(await reply.text()).toBe("over a socket");
  expect(mesh.report(reply)?.endpoint).toBe(`unix:${path}`);
  expect(await (await mesh.fetch("http://reviews/")).text()).toBe("over a socket");
});

test("a name that only the hosts file knows is resolved, and its addresses are called", async () => {
  const server = await serve("by name", { port: 0, host: "127.0.0.1" });
  const config = { apiVersion: "heddle/v1", services: { reviews: { retry: {}, endpoints: [{ dns: `localhost:${portOf(server)}` }] } } };
  await using mesh = await joinMesh({ config });
  const reply = await mesh.request("http://reviews/");
  expect(await reply.text()).toBe("by name");
  expect(mesh.report(reply)?.endpoint).toBe(`127.0.0.1:${portOf(server)}`);
});

test("the system's lookup gives what its name servers do not know, without a TTL", async () => {
  const addresses = await nodeResolve().addresses("localhost");
  expect(addresses).toContainEqual({ address: "127.0.0.1", ttlSeconds: null });
  expect(await nodeResolve().addresses("192.0.2.7")).toEqual([{ address: "192.0.2.7", ttlSeconds: null }]);
});

test("a move in DNS is followed without a failed request, and subsets select by the labels of the name", async () => {
  const resolve = fakeResolve();
  resolve.set("reviews.internal", ["10.0.0.1"], 5);
  const endpoints = [{ dns: "reviews.internal:80", labels: { version: "v1" } }];
  const routes = [{ to: [{ subset: "v1" }] }];
  await using t = testMesh({
    config: { apiVersion: "heddle/v1", services: { reviews: { endpoints, routes, subsets: { v1: { labels: { version: "v1" } } } } } },
    resolve,
  });
  await t.advance(0);
  expect((await t.fetch("http://reviews/")).status).toBe(200);
  resolve.set("reviews.internal", ["10.0.0.2"], 5);
  await t.advance("6s");
  expect((await t.fetch("http://reviews/")).status).toBe(200);
  expect(t.attempts("reviews").map(({ endpoint }) => endpoint)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
});

test("joinMesh names every source that it waited for in vain, and why", async () => {
  const missing = join(temporaryFolder(), "missing.yaml");
  const silent = { name: "registry", watch: () => () => {} };
  const joined = joinMesh({
    config: [{ apiVersion: "heddle/v1", services: {} }, missing, silent],
    startTimeout: "50ms",
    onProblem: () => {},
  });
  await expect(joined).rejects.toThrow(
    `not ready after 50ms: ${missing}: the file does not exist; the mesh waits for a good one; registry: it has not delivered a configuration yet`,
  );
});
