import { Socket } from "node:net";
import { queryObjects } from "node:v8";
import { createMesh } from "@heddle/core";
import { Client, Pool } from "undici";
import { classBeside } from "../../scripts/bundle/class-beside.ts";

type Class = new (...args: never) => unknown;

const KINDS = {
  Socket,
  Client,
  Pool,
  BackendState: classBeside<Class>(createMesh, "BackendState"),
  DataPlane: classBeside<Class>(createMesh, "DataPlane"),
  Channels: classBeside<Class>(createMesh, "Channels"),
  EndpointState: classBeside<Class>(createMesh, "EndpointState"),
};

export type Kind = keyof typeof KINDS;
export type Instances = Readonly<Partial<Record<Kind, number>>>;

/** How many of each are reachable, found by walking the heap, which takes a while: what nobody lists any more is counted all the same. */
export function instances(kinds: readonly Kind[] = Object.keys(KINDS) as Kind[]): Instances {
  return Object.fromEntries(kinds.map((kind) => [kind, queryObjects(KINDS[kind], { format: "count" })]));
}
