import { type Client, Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { createMesh, type Mesh, type Transport } from "@heddle/core";
import { grpcTransport, meshGrpc } from "@heddle/grpc";
import { httpTransport } from "@heddle/http";
import { onTestFinished } from "vitest";
import { TextClient, textService } from "../text-service.ts";

/** A real server of grpc-js on loopback that ends with the test. `port` 0: any. */
export async function serveText(handlers: UntypedServiceImplementation, port = 0): Promise<string> {
  const server = new Server();
  server.addService(textService, { ...unhandled, ...handlers });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) => (error ? reject(error) : resolve(given)));
  });
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${bound}`;
}

const unhandled: UntypedServiceImplementation = Object.fromEntries(Object.keys(textService).map((name) => [name, () => {}]));

/** The transports of the umbrella, on the sources that tests run on. */
function transport(): Transport {
  const http = httpTransport();
  const grpc = grpcTransport();
  return { open: (settings) => (settings.protocol === "grpc" ? grpc : http).open(settings) };
}

/** A mesh whose service `texts` speaks gRPC at these addresses. `more`: further keys of the service. */
export function liveMesh(addresses: readonly string[], more: object = {}, egress: "allow" | "deny" = "allow"): Mesh {
  const texts = { protocol: "grpc", endpoints: addresses.map((address) => ({ address })), ...more };
  const config = { apiVersion: "heddle/v1", mesh: { egress }, services: { texts } };
  const mesh = createMesh({ config, transport: transport(), onProblem: () => {} });
  onTestFinished(() => mesh.close({ limit: 1_000 }));
  return mesh;
}

export function textClient(mesh: Mesh, options: Record<string, unknown> = {}): TextClient {
  return closing(meshGrpc(mesh, TextClient, "texts", options));
}

export function closing<C extends Client>(client: C): C {
  onTestFinished(() => client.close());
  return client;
}
