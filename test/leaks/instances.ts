import { Socket } from "node:net";
import { queryObjects } from "node:v8";
import { Client, Pool } from "undici";
import { BackendState } from "../../packages/core/dist/backend-state.js";
import { DataPlane } from "../../packages/core/dist/data-plane.js";
import { Channels } from "../../packages/core/dist/endpoint/channels.js";
import { EndpointState } from "../../packages/core/dist/endpoint/endpoint.js";

const KINDS = { Socket, Client, Pool, BackendState, DataPlane, Channels, EndpointState };

export type Instances = Readonly<Record<keyof typeof KINDS, number>>;

/** How many of each are reachable, found by walking the heap: what nobody lists any more is counted all the same. */
export function instances(): Instances {
  return Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [name, queryObjects(kind, { format: "count" })])) as Instances;
}
