import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh, type Mesh } from "@heddle/core";
import { onTestFinished } from "vitest";
import { httpTransport } from "../src/undici-transport.ts";

/** A real server on loopback that ends with the test. */
export async function serve(listener: RequestListener): Promise<{ readonly address: string; readonly connections: () => number }> {
  let connections = 0;
  const server = createServer(listener);
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

/** A mesh with one service `reviews` at these addresses; `more` goes into the service, `settings` under `mesh:`. */
export async function meshOf(addresses: readonly string[], more: object = {}, settings: object = {}): Promise<Mesh> {
  const mesh = createMesh({
    config: {
      apiVersion: "heddle/v1",
      mesh: settings,
      services: { reviews: { endpoints: addresses.map((address) => ({ address })), ...more } },
    },
    transport: httpTransport(),
    onProblem: () => {},
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  return mesh;
}

/** A listener that answers with what it was asked, as JSON. */
export const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() }),
    );
  });
};
