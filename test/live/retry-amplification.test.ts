import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type JoinedMesh, joinMesh } from "heddle";
import { afterAll, expect, test } from "vitest";

const REQUESTS = 4_000;
const CONCURRENCY = 32;
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** Retries on every hop, within a budget of 20 % and no reserve, so that the bound is exact. */
function documentOf(name: string, next: string): object {
  const retry = { maxRetries: 2, backoff: { base: "1ms", max: "2ms" }, budget: { percent: 20, minPerSecond: 0 } };
  return {
    apiVersion: "heddle/v1",
    mesh: { trustHeaders: true },
    services: { [name]: {}, next: { endpoints: [{ address: next }], retry, outlier: "off" } },
  };
}

async function dependency(): Promise<{ address: string; counts: { requests: number } }> {
  const counts = { requests: 0 };
  const server = createServer((_request, response) => {
    counts.requests++;
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, counts };
}

/** A service that asks the next one and passes on what it says. */
async function hop(name: string, next: string): Promise<{ mesh: JoinedMesh; address: string }> {
  const mesh = await joinMesh({ service: name, config: documentOf(name, next) });
  closing.push(() => mesh.close());
  const { port } = await mesh.listen(
    async (_request, response) => {
      const reply = await mesh.request("http://next/");
      response.writeHead(reply.status).end(await reply.text());
    },
    { port: 0, host: "127.0.0.1" },
  );
  return { mesh, address: `127.0.0.1:${port}` };
}

test("through three hops that all retry, a failing dependency sees at most 1.2 times the requests", { timeout: 60_000 }, async () => {
  const { address, counts } = await dependency();
  const third = await hop("third", address);
  const second = await hop("second", third.address);
  const first = await hop("first", second.address);
  const user = await joinMesh({ config: documentOf("user", first.address) });
  closing.push(() => user.close());
  let left = REQUESTS;
  const statuses = new Map<number, number>();
  const caller = async () => {
    while (left-- > 0) {
      const reply = await user.request("http://next/");
      await reply.discard();
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  expect([...statuses]).toEqual([[503, REQUESTS]]);
  expect(counts.requests / REQUESTS).toBeLessThanOrEqual(1.2);
  // The hop next to the failure does retry.
  expect(counts.requests / REQUESTS).toBeGreaterThan(1.1);
});
