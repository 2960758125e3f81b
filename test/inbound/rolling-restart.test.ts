import { setTimeout as pause } from "node:timers/promises";
import { type JoinedMesh, joinMesh } from "heddle";
import { expect, test } from "vitest";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";

const CONCURRENCY = 16;
const DRAIN_MS = 300;

/** One of the instances of a service: a mesh of its own on a port that stays the same. */
interface Instance {
  served: number;
  mesh: JoinedMesh;
}

async function startInstance(port: number): Promise<Instance> {
  const mesh = await joinMesh({ service: "reviews", config: { apiVersion: "heddle/v1", services: { reviews: {} } } });
  const instance = { served: 0, mesh };
  await mesh.listen(
    (request, response) => {
      instance.served++;
      request.resume();
      // Requests overlap with the drain.
      setTimeout(() => response.end("ok"), 5);
    },
    { host: "127.0.0.1", port },
  );
  return instance;
}

/** Callers that ask again as soon as they have their answer; one in four posts, which is never sent twice once it was acted on. */
function startLoad(mesh: JoinedMesh) {
  const reviews = mesh.service("reviews");
  const failures: string[] = [];
  let requests = 0;
  let isStopped = false;
  const ask = async (method: string) => {
    try {
      const reply = await reviews.request("/", { method, ...(method === "POST" ? { json: { stars: 5 } } : {}) });
      await reply.text();
      if (reply.status !== 200) failures.push(`${method}: ${reply.status}`);
    } catch (error) {
      failures.push(`${method}: ${String(error)}: ${JSON.stringify(mesh.report(error))}`);
    }
  };
  const caller = async (method: string) => {
    for (; !isStopped; requests++) await ask(method);
  };
  const callers = Array.from({ length: CONCURRENCY }, (_, index) => caller(index % 4 === 0 ? "POST" : "GET"));
  const stop = async () => {
    isStopped = true;
    await Promise.all(callers);
    return { requests, failures };
  };
  return { stop };
}

test("a rolling restart of three static endpoints under load costs no request, and each is back soon after", {
  timeout: 30_000,
}, async () => {
  const ports = await freePorts(3);
  const instances = await Promise.all(ports.map(startInstance));
  await using client = await joinMesh({
    config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: ports.map((port) => ({ address: `127.0.0.1:${port}` })) } } },
  });
  const load = startLoad(client);
  const backAfterMs: number[] = [];
  for (const [index, port] of ports.entries()) {
    await pause(300);
    await instances[index]?.mesh.close({ drain: DRAIN_MS, limit: "5s" });
    await pause(200);
    const next = await startInstance(port);
    instances[index] = next;
    const startedAt = performance.now();
    await expect.poll(() => next.served, { timeout: 5_000, interval: 10 }).toBeGreaterThan(50);
    backAfterMs.push(performance.now() - startedAt);
  }
  const { requests, failures } = await load.stop();
  await Promise.all(instances.map(({ mesh }) => mesh.close()));
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(1_000);
  // Down for 0.5 s after the first word of it: probes come 0.5, 1.5 and 3.5 s after that.
  for (const ms of backAfterMs) expect(ms).toBeLessThan(3_000);
});
