import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { InboundRequestContext } from "@heddle/core";
import {
  guardUpgrades,
  inboundOf,
  isServed,
  markRoute,
  refuseSemicolonDelimiter,
  Serving,
  type ServingMesh,
  serveRequest,
} from "@heddle/http";
import type {} from "fastify";

// In the declarations made of this file the import is gone, and where Fastify is not installed this says nothing.
declare module "fastify" {
  interface FastifyRequest {
    /** What the mesh knows of this request; there in hooks registered after `meshPlugin`, and in handlers. */
    readonly mesh: InboundRequestContext;
  }
}

/** What Fastify registers; typed without Fastify, so that its types are not needed to compile. */
export type MeshPlugin = (instance: object, options: object, done: (error?: Error) => void) => void;

interface Instance {
  readonly server: Server;
  readonly initialConfig?: object;
  hasRequestDecorator(name: string): boolean;
  decorateRequest(name: string, property: { readonly getter: (this: FastifyRequest) => InboundRequestContext | undefined }): void;
  addHook(name: "onRequest", hook: (request: FastifyRequest, reply: FastifyReply, done: () => void) => void): void;
  addHook(name: "onClose", hook: (instance: object, done: () => void) => void): void;
}

interface FastifyRequest {
  readonly raw: IncomingMessage;
  readonly routeOptions: { readonly url?: string | undefined };
}

interface FastifyReply {
  readonly raw: ServerResponse;
  hijack(): unknown;
}

/**
 * Gives `req.mesh`, and runs the inbound stack where no listener of the mesh has, in an `onRequest` hook: register it before plugins
 * whose hooks should be covered. Covers all routes of the instance that registers it, and those below. A refusal is answered by the
 * mesh: no further hook and no handler runs, only `onResponse`.
 * A plugin never sees upgrades and CONNECT: where the mesh has inbound layers they are refused on the instance's server unless it is
 * made by `mesh.serverFactory()` or served by `mesh.listen`. Throws TypeError unless the mesh has a service.
 */
export function meshPlugin(mesh: ServingMesh): MeshPlugin {
  mesh.assertServing();
  const plugin: MeshPlugin = (instance, _options, done) => {
    // Thrown, it would not reach whoever registers, but end the process.
    try {
      register(mesh, instance as Instance);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
  // What the package fastify-plugin does: not encapsulated, and refused by another major version of Fastify.
  return Object.assign(plugin, {
    [Symbol.for("skip-override")]: true,
    [Symbol.for("fastify.display-name")]: "@heddle/fastify-adapter",
    [Symbol.for("plugin-meta")]: { name: "@heddle/fastify-adapter", fastify: "5.x" },
  });
}

function register(mesh: ServingMesh, instance: Instance): void {
  refuseSemicolonDelimiter(instance.initialConfig, "mesh.fastify");
  const serving = new Serving(mesh);
  // The server is not ours to close: only what is in flight here is waited for, and cut at the limit.
  const unregister = mesh.onClose({ drain: () => {}, close: () => serving.close(), destroy: () => serving.destroy() });
  guardUpgrades(mesh, instance.server);
  if (!instance.hasRequestDecorator("mesh")) {
    instance.decorateRequest("mesh", {
      getter() {
        return inboundOf(this.raw);
      },
    });
  }
  instance.addHook("onRequest", (request, reply, done) => {
    const pattern = request.routeOptions.url;
    if (pattern !== undefined) markRoute(request.raw, pattern);
    if (isServed(request.raw, mesh)) done();
    else serveRequest(serving, request.raw, reply.raw, done, { refusing: () => void reply.hijack(), routing: "decided" });
  });
  instance.addHook("onClose", (_instance, done) => {
    unregister();
    done();
  });
}
