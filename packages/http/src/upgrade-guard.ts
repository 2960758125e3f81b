import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { localResponse } from "@heddle/core";
import { isAttached } from "./listener-attach.ts";
import type { ServingMesh } from "./node-serving.ts";
import { refuseSocket } from "./node-upgrade.ts";

const GUARDED: unique symbol = Symbol.for("heddle.upgradesGuarded");

interface GuardedServer {
  [GUARDED]?: true;
}

/**
 * For servers that no listener of the mesh covers, whose requests come through a middleware: upgrades and CONNECT pass it by. Where
 * the inbound stack guards anything by then, they are refused with 403 from here on, and reported.
 */
export function guardUpgrades(mesh: ServingMesh, server: unknown): void {
  if (!(server instanceof EventEmitter) || isAttached(server) || (server as GuardedServer)[GUARDED]) return;
  (server as GuardedServer)[GUARDED] = true;
  const emit = server.emit as (name: string | symbol, ...values: unknown[]) => boolean;
  const guarded = (name: string | symbol, ...values: unknown[]): boolean => {
    // Asked for each: a layer may come with the next configuration, and a listener of the mesh may have come since.
    const passes = (name !== "upgrade" && name !== "connect") || !mesh.isGuarded || isAttached(server);
    if (passes) return emit.call(server, name, ...values);
    refuse(mesh, name, values[1] as Duplex);
    return true;
  };
  server.emit = guarded as typeof server.emit;
}

function refuse(mesh: ServingMesh, name: "upgrade" | "connect", socket: Duplex): void {
  const what = name === "connect" ? "a CONNECT" : "an upgrade";
  const message = `${what} was refused: a middleware cannot put it through the inbound layers; serve with mesh.listen, mesh.serverFactory or mesh.attach`;
  mesh.reportProblem({ where: "inbound", message, severity: "error" });
  socket.on("error", () => {
    // A caller that resets its refused connection has what it needs.
  });
  refuseSocket(socket, localResponse(403, ""));
}
