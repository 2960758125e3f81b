import { type Channel, PushBody, type Transport } from "@heddle/core";

export interface CountingTransport extends Transport {
  opened(): number;
  closed(): number;
  /** Channels that something still refers to. */
  reachable(): number;
}

/** Endpoints that exist as addresses only and answer at once, so that thousands can come and go in a second. */
export function countingTransport(): CountingTransport {
  const channels: WeakRef<Channel>[] = [];
  let closed = 0;
  return {
    open() {
      const channel: Channel = {
        send(request) {
          if (request.attempt) request.attempt.wasSent = true;
          return Promise.resolve({ status: 200, headers: {}, body: PushBody.of(new Uint8Array(0)) });
        },
        connections: () => 0,
        close: async () => {
          closed++;
        },
        destroy() {},
      };
      channels.push(new WeakRef(channel));
      return channel;
    },
    opened: () => channels.length,
    closed: () => closed,
    reachable: () => channels.filter((channel) => channel.deref() !== undefined).length,
  };
}
