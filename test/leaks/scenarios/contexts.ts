import { AsyncLocalStorage } from "node:async_hooks";
import { joinMesh } from "heddle";
import { settle } from "../heap.ts";
import { liveTimers } from "../live-timers.ts";
import { scenario } from "../scenario.ts";

export interface ContextsInput {
  readonly address: string;
  readonly requests: number;
}

/** Still reachable when all requests are over. */
export interface ContextsResult {
  readonly requests: number;
  readonly stores: number;
  /** Open, and pending, at that time. */
  readonly connections: number;
  readonly inboundConnections: number;
  readonly timers: number;
}

const CONCURRENCY = 10;

/**
 * A server whose every request has a store of the application's own (as a framework's request-scoped container has), makes the mesh
 * open connections and start timers within it, and ends.
 */
await scenario(async ({ address, requests }: ContextsInput): Promise<ContextsResult> => {
  await using mesh = await joinMesh({
    service: "checkout",
    config: { apiVersion: "heddle/v1", services: { checkout: {}, reviews: { endpoints: [{ address }] } } },
  });
  const messages: WeakRef<object>[] = [];
  const stores: WeakRef<object>[] = [];
  const containers = new AsyncLocalStorage<object>();
  let served = 0;
  const { port } = await mesh.listen(
    (request, response) => {
      const store = { container: new Array(100).fill(request) };
      messages.push(new WeakRef(request));
      stores.push(new WeakRef(store));
      served++;
      // A queue of deadlines for each duration: the timer of each is made within a request.
      const timeout = 30_000 + served;
      void containers.run(store, async () => {
        await mesh.request("http://reviews/", { mesh: { timeout } }).then((reply) => reply.text());
        await mesh.fetch("http://reviews/").then((answer) => answer.text());
        response.end("ok");
      });
    },
    { port: 0, host: "127.0.0.1" },
  );
  await using client = await joinMesh({
    config: { apiVersion: "heddle/v1", services: { checkout: { endpoints: [{ address: `127.0.0.1:${port}` }] } } },
  });
  let left = requests;
  const caller = async () => {
    while (left-- > 0) await client.service("checkout").get("/").text();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  await settle();
  const count = (held: readonly WeakRef<object>[]) => held.filter((one) => one.deref() !== undefined).length;
  const endpoints = mesh.inspect().backends.flatMap((backend) => backend.endpoints);
  return {
    requests: count(messages),
    stores: count(stores),
    connections: endpoints.reduce((sum, endpoint) => sum + endpoint.connections, 0),
    inboundConnections: CONCURRENCY,
    timers: liveTimers(),
  };
});
