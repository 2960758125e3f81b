import type { ChannelOptions } from "@grpc/grpc-js";

/** What a client's options say of its connection, or of what is sent on it. Everything else in them is the mesh's, or its client's own. */
const OF_THE_LINK = [
  "grpc.default_compression_algorithm",
  "grpc.keepalive_permit_without_calls",
  "grpc.keepalive_time_ms",
  "grpc.keepalive_timeout_ms",
  "grpc.max_receive_message_length",
  "grpc.max_send_message_length",
  "grpc.primary_user_agent",
  "grpc.secondary_user_agent",
  "grpc-node.flow_control_window",
  "grpc-node.max_session_memory",
] as const;

/** Clients of equal `key` share their connections. */
export interface LinkOptions {
  readonly key: string;
  readonly options: ChannelOptions;
}

const NONE: LinkOptions = { key: "", options: {} };
const known = new WeakMap<object, LinkOptions>();

/** `client`: the channel options that a client was made with, which do not change; null: none. */
export function linkOptions(client: object | null): LinkOptions {
  if (client === null) return NONE;
  let found = known.get(client);
  if (found === undefined) {
    const given = client as ChannelOptions;
    const options: ChannelOptions = {};
    for (const name of OF_THE_LINK) if (given[name] !== undefined) options[name] = given[name] as never;
    const key = Object.keys(options).length === 0 ? "" : JSON.stringify(options);
    found = { key, options };
    known.set(client, found);
  }
  return found;
}
