import type { RequestListener, Server, ServerOptions } from "node:http";
import { createServer as createSecureServer, type ServerOptions as SecureServerOptions } from "node:https";
import { refuseSemicolonDelimiter } from "./fastify-routing.ts";
import { type AttachOptions, attach } from "./listener-attach.ts";
import { nodeHttp } from "./node-http.ts";
import type { ServingMesh } from "./node-serving.ts";

/** What Fastify calls to get its server: `fastify({ serverFactory })`. */
export type ServerFactory = (handler: RequestListener, options: object) => Server;

/** The options of Fastify that it applies to servers of its own making only. */
interface FrameworkOptions {
  readonly http?: ServerOptions;
  readonly https?: SecureServerOptions | boolean | null;
  readonly http2?: boolean;
  readonly keepAliveTimeout?: number;
  readonly requestTimeout?: number;
  readonly connectionTimeout?: number;
  readonly maxRequestsPerSocket?: number;
}

/**
 * Makes servers that run the inbound stack before the framework sees a request, upgrade or CONNECT. Every server that a framework
 * asks for is covered: for `localhost` Fastify makes two. The framework's own `close()` closes them; `mesh.close()` does it, too.
 */
export function serverFactory(mesh: ServingMesh, options: AttachOptions = {}): ServerFactory {
  mesh.assertServing();
  return (handler, frameworkOptions) => {
    refuseSemicolonDelimiter(frameworkOptions, "mesh.serverFactory");
    const server = makeServer(handler, frameworkOptions);
    attach(mesh, server, options);
    return server;
  };
}

function makeServer(handler: RequestListener, options: FrameworkOptions): Server {
  if (options.http2) throw new TypeError("serverFactory: HTTP/2 servers are not supported yet; leave `http2` out");
  const { https } = options;
  // A secure server has everything that a plain one has but its class.
  const server = https
    ? (createSecureServer(https === true ? {} : https, handler) as object as Server)
    : nodeHttp.createServer(options.http ?? {}, handler);
  if (options.keepAliveTimeout !== undefined) server.keepAliveTimeout = options.keepAliveTimeout;
  if (options.requestTimeout !== undefined) server.requestTimeout = options.requestTimeout;
  if (options.connectionTimeout !== undefined) server.setTimeout(options.connectionTimeout);
  if (options.maxRequestsPerSocket) server.maxRequestsPerSocket = options.maxRequestsPerSocket;
  return server;
}
