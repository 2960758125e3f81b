import { lookup } from "node:dns/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Server as TlsServer } from "node:tls";
import { checkKeys } from "@heddle/core";
import { type FastifyApp, isFastify, requestListener, type Servable } from "./application.ts";
import { refuseSemicolonDelimiter } from "./fastify-routing.ts";
import { type Attachment, attach } from "./listener-attach.ts";
import type { HealthOptions } from "./listener-health.ts";
import { nodeHttp } from "./node-http.ts";
import type { ServingMesh } from "./node-serving.ts";

export interface ListenOptions {
  /** 0 to 65535. Default 0: any free port. */
  readonly port?: number;
  /** Address to listen on. Default: every address of this machine, as with node:http. */
  readonly host?: string;
  /** Health requests, answered outside of every policy. Default `{}`: `/livez` and `/readyz`. `false`: the application's own. */
  readonly health?: HealthOptions | false;
}

export interface Listener extends Attachment {
  /** `http://127.0.0.1:9081`; localhost where it listens on every address; `https://` while only mutual TLS is let in. */
  readonly url: string;
  readonly port: number;
  readonly address: AddressInfo;
  readonly server: Server;
}

/**
 * Serves `application` behind the inbound stack of `mesh`. Resolves when it listens; rejects if it cannot, or if the mesh has no service.
 * A Fastify instance listens on its own server, with all its hooks, and is closed with the listener.
 */
export async function listen(mesh: ServingMesh, application: Servable, options: ListenOptions = {}): Promise<Listener> {
  checkKeys(options, ["port", "host", "health"], "mesh.listen");
  if (isFastify(application)) return listenFastify(mesh, application, options);
  const server = nodeHttp.createServer(requestListener(mesh, application));
  const attachment = attach(mesh, server, healthOf(options));
  return bound(mesh, server, attachment, () => bind(server, options));
}

async function listenFastify(mesh: ServingMesh, app: FastifyApp, options: ListenOptions): Promise<Listener> {
  refuseSemicolonDelimiter(app.initialConfig, "mesh.listen");
  const server = app.server as Server;
  const attachment = attach(mesh, server, healthOf(options));
  // Registered after the server, so closed after it: Fastify refuses every request from the moment it begins to close.
  const unregister = mesh.onClose({ drain: () => {}, close: async () => void (await app.close()), destroy: () => {} });
  server.once("close", unregister);
  const close = async () => {
    await attachment.close();
    await app.close();
    unregister();
  };
  return bound(mesh, server, { close, destroy: attachment.destroy }, async () => {
    // For the name localhost Fastify opens servers of its own beside this one.
    const host = options.host === "localhost" ? (await lookup("localhost")).address : (options.host ?? "");
    await app.listen({ port: options.port ?? 0, host });
  });
}

function healthOf({ health }: ListenOptions): { readonly health?: HealthOptions } {
  return health === false ? {} : { health: health ?? {} };
}

async function bound(mesh: ServingMesh, server: Server, { close, destroy }: Attachment, start: () => Promise<void>): Promise<Listener> {
  await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const address = server.address() as AddressInfo;
  return {
    // Looked up when asked: an edit of the configuration may change it.
    get url() {
      return urlOf(server instanceof TlsServer || mesh.serverTls.mode() === "strict" ? "https" : "http", address);
    },
    port: address.port,
    address,
    server,
    close,
    destroy,
  };
}

function bind(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port ?? 0, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Of a server that listens there. */
export function urlOf(scheme: "http" | "https", { address, family, port }: AddressInfo): string {
  const isAny = address === "::" || address === "0.0.0.0";
  return `${scheme}://${isAny ? "localhost" : family === "IPv6" ? `[${address}]` : address}:${port}`;
}
