import { Socket } from "node:net";
import { queryObjects } from "node:v8";
import { Client, Pool } from "undici";
import { BackendState } from "../../packages/core/dist/backend-state.js";
import { DataPlane } from "../../packages/core/dist/data-plane.js";
import { Channels } from "../../packages/core/dist/endpoint/channels.js";
import { EndpointState } from "../../packages/core/dist/endpoint/endpoint.js";

const KINDS = { Socket, Client, Pool, BackendState, DataPlane, Channels, EndpointState };

export type Kind = keyof typeof KINDS;
export type Instances = Readonly<Partial<Record<Kind, number>>>;

/** How many of each are reachable, found by walking the heap, which takes a while: what nobody lists any more is counted all the same. */
export function instances(kinds: readonly Kind[] = Object.keys(KINDS) as Kind[]): Instances {
  return Object.fromEntries(kinds.map((kind) => [kind, queryObjects(KINDS[kind], { format: "count" })]));
}
