import http from "node:http";
import type { JoinedMesh } from "heddle";
import undici from "undici";
import { expect, test } from "vitest";
import { inFlight, join, serve } from "../../front-doors/setup.ts";
import { systemAnswers, timesTried } from "./system-connect.ts";

const SHORTAGES = ["EADDRNOTAVAIL", "EADDRINUSE", "ENOBUFS", "ENOMEM", "EMFILE", "ENFILE"] as const;
const greet = () => serve((_request, response) => void response.end("hello"));
const OUTLIER = { reviews: { outlier: { consecutiveFailures: 2 }, breaker: { consecutiveFailures: 3 } } };

function statesOf(mesh: JoinedMesh): readonly string[] {
  return mesh
    .inspect()
    .backends.flatMap(({ breaker, endpoints }) => [breaker, ...endpoints.map(({ state, failures }) => `${state} ${failures}`)]);
}

test("with no port left to one endpoint the other is tried at once, and neither is ejected", async () => {
  const [short, other] = await Promise.all([greet(), greet()]);
  const mesh = await join([short.address, other.address], OUTLIER);
  const shortage = systemAnswers("EADDRNOTAVAIL", [short]);
  for (let count = 0; count < 40; count++) {
    const reply = await mesh.request("http://reviews/", { method: "POST", body: "x" });
    expect(await reply.text()).toBe("hello");
  }
  expect(timesTried(shortage)).toBeGreaterThan(0);
  // The balancer turns away from it for a while.
  expect(timesTried(shortage)).toBeLessThan(20);
  expect(statesOf(mesh)).toEqual(["closed", "ready 0", "ready 0"]);
  expect(inFlight(mesh)).toBe(0);
});

const FRONT_DOORS: Record<string, (mesh: JoinedMesh) => Promise<unknown>> = {
  "mesh.request": async (mesh) => (await mesh.request("http://reviews/")).text(),
  "mesh.fetch": async (mesh) => (await mesh.fetch("http://reviews/")).text(),
  "undici.request": async (mesh) => (await undici.request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text(),
  "http.get": (mesh) =>
    new Promise((resolve, reject) => {
      http
        .get("http://reviews/", { agent: mesh.agent() }, (response) => response.resume().on("end", () => resolve("hello")))
        .on("error", reject);
    }),
};

test.each(SHORTAGES)("%s everywhere fails every way of calling clearly, hammers nothing and is forgotten", async (code) => {
  const servers = await Promise.all([greet(), greet(), greet()] as const);
  const mesh = await join(
    servers.map(({ address }) => address),
    OUTLIER,
  );
  const shortage = systemAnswers(code, servers);
  // Ports are counted for each destination: one more try because of each endpoint, as for every connect failure.
  const mostTries = code.startsWith("EADDR") ? servers.length + 1 : 1;
  for (const [way, call] of Object.entries(FRONT_DOORS)) {
    const before = timesTried(shortage);
    const failure = await call(mesh).then(
      () => null,
      (error: Error) => error,
    );
    expect(String(failure?.cause ?? failure), way).toContain(`${code} 127.0.0.1`);
    expect(`${failure?.message} ${failure?.cause}`, way).toContain("which is not held against the endpoint");
    expect(timesTried(shortage) - before, way).toBeLessThanOrEqual(way === "http.get" ? 1 : mostTries);
  }
  for (let count = 0; count < 10; count++) await mesh.request("http://reviews/").catch(() => {});
  expect(statesOf(mesh)).toEqual(["closed", "ready 0", "ready 0", "ready 0"]);
  shortage.end();
  for (const [way, call] of Object.entries(FRONT_DOORS)) expect(await call(mesh), way).toBe("hello");
  expect(inFlight(mesh)).toBe(0);
});

test("a retry policy for connect failures waits out a shortage of descriptors, within its budget", async () => {
  const server = await greet();
  const retry = {
    maxRetries: 10,
    on: ["connect-failure"],
    backoff: { base: "20ms", max: "40ms" },
    budget: { percent: 100, minPerSecond: 1_000 },
  };
  const mesh = await join([server.address], { reviews: { retry } });
  const shortage = systemAnswers("EMFILE", [server]);
  setTimeout(shortage.end, 60);
  const reply = await mesh.request("http://reviews/");
  expect(await reply.text()).toBe("hello");
  expect(
    mesh
      .report(reply)
      ?.attempts.map(({ outcome }) => outcome)
      .slice(0, 2),
  ).toEqual(["connect-failure", "connect-failure"].slice(0, timesTried(shortage)));
  expect(timesTried(shortage)).toBeLessThanOrEqual(10);
});
