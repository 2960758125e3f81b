import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Attachment, attach } from "./listener-attach.ts";
import type { HealthOptions } from "./listener-health.ts";
import { answerFailure } from "./node-request.ts";
import type { ServingMesh } from "./node-serving.ts";

/** A node:http request listener; an Express app is one. */
export type Application = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface ListenOptions {
  /** 0 to 65535. Default 0: any free port. */
  readonly port?: number;
  /** Address to listen on. Default: every address of this machine, as with node:http. */
  readonly host?: string;
  /** Health requests, answered outside of every policy. Default `{}`: `/livez` and `/readyz`. `false`: the application's own. */
  readonly health?: HealthOptions | false;
}

export interface Listener extends Attachment {
  /** `http://127.0.0.1:9081`; localhost where it listens on every address. */
  readonly url: string;
  readonly port: number;
  readonly address: AddressInfo;
  readonly server: Server;
}

/** Serves `application` behind the inbound stack of `mesh`. Resolves when it listens; rejects if it cannot, or if the mesh has no service. */
export async function listen(mesh: ServingMesh, application: Application, options: ListenOptions = {}): Promise<Listener> {
  const server = createServer(requestListener(application));
  const health = options.health === false ? {} : { health: options.health ?? {} };
  const { close, destroy } = attach(mesh, server, health);
  const address = await bind(server, options).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { url: urlOf(address), port: address.port, address, server, close, destroy };
}

function bind(server: Server, options: ListenOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port ?? 0, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function urlOf({ address, family, port }: AddressInfo): string {
  const isAny = address === "::" || address === "0.0.0.0";
  return `http://${isAny ? "localhost" : family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** As node:http calls it; where it returns a promise that rejects, the caller gets 500 and the rejection stays unhandled, as in node:http. */
function requestListener(application: Application): RequestListener {
  if (typeof application !== "function") throw new TypeError(unsupported(application));
  return (request, response) => {
    const running = application(request, response);
    if (typeof running !== "object" || running === null || !("then" in running)) return;
    void Promise.resolve(running).catch((error: unknown) => {
      answerFailure(response);
      throw error;
    });
  };
}

function unsupported(application: unknown): string {
  const expected = "pass an Express app or a node:http listener (request, response) => void";
  if (typeof application !== "object" || application === null) return `listen: ${String(application)} is not an application; ${expected}`;
  if ("fetch" in application) return `listen: { fetch } handlers are not supported yet; ${expected}`;
  if ("routing" in application) return `listen: Fastify instances are not supported yet; ${expected}`;
  if ("bindAsync" in application) return `listen: gRPC servers are not supported yet; ${expected}`;
  if ("listen" in application) return "listen: this is a server already; use attach";
  return `listen: this object is not an application; ${expected}`;
}
