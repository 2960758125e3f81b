import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { checkKeys, type InboundRequestContext } from "@heddle/core";
import { guardUpgrades, isServed, Serving, type ServingMesh, serveRequest } from "@heddle/http";

declare module "http" {
  interface IncomingMessage {
    /** What the mesh knows of this request. There from `meshMiddleware` on, or from the start behind `mesh.listen` and `mesh.attach`. */
    readonly mesh: InboundRequestContext;
  }
}

/** What Express calls; typed without Express, so that its types are not needed to compile. */
export type MeshMiddleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

export interface MeshMiddlewareOptions {
  /** The server that the application stands behind: its upgrades and CONNECT are guarded from the start. Default: learned from the first request. */
  readonly server?: Server;
}

/**
 * Gives `req.mesh`, and runs the inbound stack where no listener of the mesh has. Put it before everything that should be covered.
 * A middleware never sees upgrades and CONNECT: a server that takes those belongs behind `mesh.listen` or `mesh.attach`. Where the
 * mesh has inbound layers they are refused, from the first request on, or from the start where `server` says which one it is.
 * Throws TypeError unless the mesh has a service.
 */
export function meshMiddleware(mesh: ServingMesh, options: MeshMiddlewareOptions = {}): MeshMiddleware {
  checkKeys(options, ["server"], "mesh.express");
  mesh.assertServing();
  if (options.server) guardUpgrades(mesh, options.server);
  const serving = new Serving(mesh);
  // The server is not ours to close: only what is in flight here is waited for, and cut at the limit.
  mesh.onClose({ drain: () => {}, close: () => serving.close(), destroy: () => serving.destroy() });
  return (request, response, next) => {
    if (isServed(request, mesh)) return next();
    guardUpgrades(mesh, (request.socket as { readonly server?: unknown }).server);
    serveRequest(serving, request, response, () => next());
  };
}
