import type { ChannelOptions } from "@grpc/grpc-js";

/** Calls of equal `key` share their connections. */
export interface LinkOptions {
  readonly key: string;
  readonly options: ChannelOptions;
}

const NONE: LinkOptions = { key: "", options: {} };
const known = new WeakMap<object, LinkOptions>();

/** `client`: what of its options belongs to connections, and does not change ({@link clientVariant}); null: nothing. */
export function linkOptions(client: object | null): LinkOptions {
  if (client === null) return NONE;
  let found = known.get(client);
  if (found === undefined) {
    found = { key: JSON.stringify(client), options: client as ChannelOptions };
    known.set(client, found);
  }
  return found;
}
