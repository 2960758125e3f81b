/** Drops replies unread, small and large, in every way of calling: `node --expose-gc collected-child.ts ADDRESS`. */
import { setTimeout as pause } from "node:timers/promises";
import { createMesh } from "@heddle/core";
import { httpTransport, MeshDispatcher, meshFetch, meshRequest } from "@heddle/http";
import undici from "undici";
import { fastClock } from "./fast-clock.ts";

const [address = ""] = process.argv.slice(2);
const config = { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } };
const mesh = createMesh({ config, transport: httpTransport(), clock: fastClock(20) });
await mesh.ready();
const dispatcher = new MeshDispatcher(mesh);
const [request, fetch] = [meshRequest(mesh), meshFetch(mesh, dispatcher)];
const dropped: WeakRef<object>[] = [];

/** In a function of its own, so that nothing of it stays on the stack. */
async function drop(bytes: number): Promise<void> {
  const url = `http://reviews/${bytes}`;
  const replies = [await request(url), await fetch(url), (await undici.request(url, { dispatcher })).body.on("error", () => {})];
  for (const reply of replies) dropped.push(new WeakRef(reply));
}

for (let count = 0; count < 10; count++) for (const bytes of [10_000, 4 * 1024 * 1024]) await drop(bytes);

function state(): { readonly collected: boolean; readonly inFlight: number; readonly connections: number } {
  const endpoints = mesh.inspect().backends.flatMap((backend) => backend.endpoints);
  return {
    collected: dropped.every((reply) => reply.deref() === undefined),
    inFlight: endpoints.reduce((sum, endpoint) => sum + endpoint.inFlight, 0),
    connections: endpoints.reduce((sum, endpoint) => sum + endpoint.connections, 0) > 3 ? -1 : 0,
  };
}

let seen = state();
for (let turn = 0; turn < 80 && !(seen.collected && seen.inFlight === 0 && seen.connections === 0); turn++) {
  await pause(50);
  (globalThis as { gc?: () => void }).gc?.();
  seen = state();
}
process.send?.(seen, () => process.exit(0));
