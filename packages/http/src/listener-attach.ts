import type { IncomingMessage, ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { checkKeys } from "@heddle/core";
import { refuseForeignTls } from "./foreign-tls.ts";
import { closeServer, type NodeServer, watchConnections } from "./listener-close.ts";
import { type HealthOptions, type HealthResponder, healthResponder } from "./listener-health.ts";
import { Entrance } from "./listener-tls.ts";
import { nodeHttp } from "./node-http.ts";
import { serveRequest } from "./node-request.ts";
import { isServed, Serving, type ServingMesh } from "./node-serving.ts";
import { serveUpgrade } from "./node-upgrade.ts";

export interface AttachOptions {
  /** Answer health requests outside of every policy. Default: not, so that routes of the server's own stay. */
  readonly health?: HealthOptions;
}

export interface Attachment {
  /** Stops listening; resolves when every exchange is complete and every connection closed. Idempotent. `mesh.close()` does it too. */
  close(): Promise<void>;
  /** Cuts what is in flight. */
  destroy(): void;
}

interface AttachedServer {
  [ATTACHED]?: { readonly mesh: ServingMesh; readonly attachment: Attachment };
}

const ATTACHED: unique symbol = Symbol.for("heddle.attached");

/**
 * Runs the inbound stack of `mesh` on every request, upgrade and CONNECT of `server`, once, before its listeners see them: those
 * it has and those it will get.
 */
export function attach(mesh: ServingMesh, server: NodeServer, options: AttachOptions = {}): Attachment {
  if (!isNodeServer(server)) throw new TypeError("attach: servers other than those of node:http and node:https are not supported yet");
  checkKeys(options, ["health"], "mesh.attach");
  mesh.assertServing();
  const known = (server as AttachedServer)[ATTACHED];
  if (known?.mesh === mesh) return known.attachment;
  if (known) throw new TypeError("attach: this server is attached to another mesh");
  const serving = new Serving(mesh, refuseForeignTls);
  const health = options.health ? healthResponder(mesh, () => serving.isDraining, options.health) : null;
  const silent = watchConnections(server);
  intercept(server, serving, health, (message) => silent.delete(message.socket));
  let closed: Promise<void> | null = null;
  const attachment: Attachment = {
    close: () => {
      closed ??= closeServer(server, serving, silent);
      return closed;
    },
    destroy: () => {
      serving.destroy();
      server.closeAllConnections();
    },
  };
  const unregister = mesh.onClose({ drain: () => {}, ...attachment });
  server.once("close", unregister);
  (server as AttachedServer)[ATTACHED] = { mesh, attachment };
  return attachment;
}

/** A listener of a mesh covers this server. */
export function isAttached(server: object): boolean {
  return ATTACHED in server;
}

// Callers without types, too, should read what is wrong.
function isNodeServer(server: unknown): server is NodeServer {
  return server instanceof nodeHttp.Server || server instanceof HttpsServer;
}

/**
 * Takes the server's place as the one who emits: whoever listens, and whenever it began to, is behind the stack. Putting a listener
 * before the others would not do, as it could not keep them from running.
 */
function intercept(
  server: NodeServer,
  serving: Serving,
  health: HealthResponder | null,
  onRequest: (message: IncomingMessage) => void,
): void {
  const emit = server.emit as (name: string | symbol, ...values: unknown[]) => boolean;
  const pass = (name: string | symbol, ...values: unknown[]): boolean => emit.call(server, name, ...values);
  const request = (message: IncomingMessage, response: ServerResponse, application: () => void) => {
    onRequest(message);
    if (isServed(message, serving.mesh)) application();
    else if (!health?.(message, response)) serveRequest(serving, message, response, application);
  };
  const upgrade = (message: IncomingMessage, socket: Duplex, application: () => void) => {
    onRequest(message);
    if (isServed(message, serving.mesh)) application();
    else serveUpgrade(serving, message, socket, application);
  };
  const entrance = server instanceof HttpsServer ? null : guardEntrance(server, serving, (socket) => pass("connection", socket));
  // Node asks before it says 100 Continue only where somebody listens: a request that is refused must not be told to send its body.
  server.on("checkContinue", () => {});
  const intercepted = (name: string | symbol, ...values: unknown[]): boolean => {
    const message = values[0] as IncomingMessage;
    switch (name) {
      case "request":
      case "checkExpectation":
        request(message, values[1] as ServerResponse, () => pass(name, ...values));
        return true;
      case "checkContinue":
        request(message, values[1] as ServerResponse, () => continueRequest(server, pass, message, values[1] as ServerResponse));
        return true;
      case "upgrade":
      case "connect":
        upgrade(message, values[1] as Duplex, () => pass(name, ...values));
        return true;
      case "connection":
        if (!entrance) return pass(name, ...values);
        entrance.enter(values[0] as Duplex);
        return true;
      default:
        return pass(name, ...values);
    }
  };
  server.emit = intercepted as typeof server.emit;
}

/** What has not got in yet is unknown to the server itself: whoever closes its idle connections, as its own `close` does, means these, too. */
function guardEntrance(server: NodeServer, serving: Serving, admit: (socket: Duplex) => void): Entrance {
  const entrance = new Entrance(serving, admit);
  server.once("close", () => entrance.close());
  const { closeIdleConnections, closeAllConnections } = server;
  server.closeIdleConnections = () => {
    entrance.cut();
    closeIdleConnections.call(server);
  };
  server.closeAllConnections = () => {
    entrance.cut();
    closeAllConnections.call(server);
  };
  return entrance;
}

function continueRequest(
  server: NodeServer,
  pass: (name: string, ...values: unknown[]) => boolean,
  message: IncomingMessage,
  response: ServerResponse,
): void {
  // One of the listeners is ours.
  if (server.listenerCount("checkContinue") > 1) {
    pass("checkContinue", message, response);
    return;
  }
  response.writeContinue();
  pass("request", message, response);
}
