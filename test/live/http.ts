import { setImmediate as turn } from "node:timers/promises";
import type { JoinedMesh } from "heddle";
import type { LiveProtocol } from "./protocol.ts";
import { trafficOf } from "./traffic.ts";

const MAX_CONNECTIONS = 4;

export const http: LiveProtocol = {
  name: "http",
  service: {},
  retry: {},
  oldMatch: { path: { prefix: "/old" } },
  held: { settings: { limits: { maxConnections: MAX_CONNECTIONS } }, connections: MAX_CONNECTIONS },
  start(mesh, service, { posts }) {
    const handle = mesh.service(service);
    return trafficOf((caller) => ask(mesh, handle, posts && caller % 4 === 0 ? "POST" : "GET"));
  },
  converse: null,
};

async function ask(mesh: JoinedMesh, handle: ReturnType<JoinedMesh["service"]>, method: string): Promise<string | null> {
  try {
    const reply = await handle.request("/api/7", { method, ...(method === "POST" ? { json: { stars: 5 } } : {}) });
    await reply.text();
    return reply.status < 400 ? null : `${method}: ${reply.status}: ${JSON.stringify(mesh.report(reply))}`;
  } catch (error) {
    // What is refused without being sent takes no turn of its own: callers of nothing but that would leave timers and sockets none.
    await turn();
    return `${method}: ${String(error)}: ${JSON.stringify(mesh.report(error))}`;
  }
}
