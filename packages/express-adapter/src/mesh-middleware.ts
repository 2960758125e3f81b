import type { IncomingMessage, ServerResponse } from "node:http";
import type { InboundRequestContext } from "@heddle/core";
import { guardUpgrades, isServed, Serving, type ServingMesh, serveRequest } from "@heddle/http";

declare module "http" {
  interface IncomingMessage {
    /** What the mesh knows of this request. There from `meshMiddleware` on, or from the start behind `mesh.listen` and `mesh.attach`. */
    readonly mesh: InboundRequestContext;
  }
}

/** What Express calls; typed without Express, so that its types are not needed to compile. */
export type MeshMiddleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Gives `req.mesh`, and runs the inbound stack where no listener of the mesh has. Put it before everything that should be covered.
 * A middleware never sees upgrades and CONNECT: a server that takes those belongs behind `mesh.listen` or `mesh.attach`. Where the
 * mesh has inbound layers they are refused, but only from the first request on: before that the server is not known here.
 * Throws TypeError unless the mesh has a service.
 */
export function meshMiddleware(mesh: ServingMesh): MeshMiddleware {
  mesh.assertServing();
  const serving = new Serving(mesh);
  // The server is not ours to close: only what is in flight here is waited for, and cut at the limit.
  mesh.onClose({ drain: () => {}, close: () => serving.close(), destroy: () => serving.destroy() });
  return (request, response, next) => {
    if (isServed(request, mesh)) return next();
    guardUpgrades(mesh, (request.socket as { readonly server?: unknown }).server);
    serveRequest(serving, request, response, () => next());
  };
}
