import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { InboundRequestContext, Mesh, MeshError } from "@heddle/core";
import { NodeConnections } from "./node-connection.ts";
import { RoutePatterns } from "./node-target.ts";
import { QueuedResponses } from "./queued-responses.ts";

/** The part of a mesh that serves. */
export type ServingMesh = Pick<
  Mesh,
  "clock" | "deadlines" | "inbound" | "isGuarded" | "assertServing" | "onClose" | "isDraining" | "health" | "reportProblem" | "serverTls"
>;

interface Marks {
  mesh?: InboundRequestContext;
  [SERVED_BY]?: ServingMesh;
}

// Shared by all copies of this package: a listener of one and a middleware of another must not both run the stack.
const SERVED_BY: unique symbol = Symbol.for("heddle.servedBy");

/** Whether the inbound stack of this mesh has been run for this request: once, in every combination of listener and middleware. */
export function isServed(message: IncomingMessage, mesh: ServingMesh): boolean {
  return (message as Marks)[SERVED_BY] === mesh;
}

/** What `req.mesh` is; undefined before the stack was run. */
export function inboundOf(message: IncomingMessage): InboundRequestContext | undefined {
  return (message as Marks).mesh;
}

/** Gives the request its mark and `req.mesh`. */
export function markServed(message: IncomingMessage, mesh: ServingMesh, inbound: InboundRequestContext): void {
  Object.assign<IncomingMessage, Marks>(message, { mesh: inbound, [SERVED_BY]: mesh });
}

/** Something that is open between head and end of an exchange: a response, an upgraded socket. */
export interface Cuttable {
  destroy(): unknown;
}

/** Where an exchange stands among those that are open. */
export interface OpenExchange {
  readonly exchange: Cuttable;
  /** -1: it has left. */
  place: number;
}

/** Why the requests of a connection may not have the application, whatever the layers say of them; null: they may. */
export type Guard = (socket: Duplex) => MeshError | null;

/** One place where requests come in, and what is open there. */
export class Serving {
  readonly mesh: ServingMesh;
  readonly connections: NodeConnections = new NodeConnections();
  readonly routes: RoutePatterns = new RoutePatterns();
  readonly queued: QueuedResponses = new QueuedResponses();
  readonly guard: Guard;
  /**
   * In no order. Not a Set: whenever one makes room, the table that it leaves behind refers to what was open then, and to the table after
   * it. Once one is old, all that follow outlive the young generation, and requests with them: over TLS that was 2 KB for each.
   */
  readonly #open: OpenExchange[] = [];
  #idle: (() => void)[] = [];
  #isClosing = false;

  constructor(mesh: ServingMesh, guard: (mesh: ServingMesh, connections: NodeConnections) => Guard = () => () => null) {
    this.mesh = mesh;
    this.guard = guard(mesh, this.connections);
  }

  /** Answers tell callers to go elsewhere. */
  get isDraining(): boolean {
    return this.#isClosing || this.mesh.isDraining;
  }

  get openCount(): number {
    return this.#open.length;
  }

  /** What it returns is for {@link leave}. */
  enter(exchange: Cuttable): OpenExchange {
    const entered = { exchange, place: this.#open.length };
    this.#open.push(entered);
    return entered;
  }

  leave(entered: OpenExchange): void {
    if (entered.place < 0) return;
    const last = this.#open.pop();
    if (last !== undefined && last !== entered) {
      this.#open[entered.place] = last;
      last.place = entered.place;
    }
    entered.place = -1;
    if (this.#open.length > 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  /** From here on this place drains; resolves when nothing is open. */
  close(): Promise<void> {
    this.#isClosing = true;
    return this.#open.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Cuts what is open. */
  destroy(): void {
    for (const { exchange } of [...this.#open]) exchange.destroy();
  }
}
