import type { Channel, ChannelSettings, MeshRequest, Transport } from "@heddle/core";
import type { Answer, ReceivedRequest } from "../answer.ts";
import { channelSettingsOf, requestOf } from "../builders.ts";
import type { ExchangeStage } from "../fake-endpoint.ts";
import { type ContractCheck, type Passing, settled } from "./check.ts";

/** An endpoint that the suite tells what to do. Every call holds from the next request on. */
export interface ContractEndpoint {
  readonly address: string;
  answer(answer: (request: ReceivedRequest) => Answer | Promise<Answer>): Promise<void>;
  /** Nobody listens at the address. */
  refuse(): Promise<void>;
  /** Breaks the connection once it got so far. After `head` and `body`, the caller must have been able to see them. */
  reset(after: ExchangeStage): Promise<void>;
  /** Takes requests and stays silent: at `request` it does not even read the body, at `body` it gave the head and a part of the body. */
  hang(at: "request" | "head" | "body"): Promise<void>;
  /** Answers with bytes that are not the protocol. */
  garbage(): Promise<void>;
  /** Takes at most so many requests at once on one connection; absent where a connection carries one anyway. */
  admit?(streams: number): Promise<void>;
  readonly requests: readonly ReceivedRequest[];
}

/** What the suite needs: the transport, an endpoint it reaches, and time. */
export interface TransportHarness extends Passing {
  readonly transport: Transport;
  readonly endpoint: ContractEndpoint;
  /** A request as this transport takes it, with what a check is about. Default: `requestOf`, of HTTP; for gRPC `rpcRequestOf`. */
  readonly request?: (parts?: Partial<MeshRequest>) => MeshRequest;
  close(): Promise<void>;
}

/** A check with a channel to the endpoint, destroyed afterwards. */
export interface ChannelCheck extends TransportHarness {
  readonly channel: Channel;
  request(parts?: Partial<MeshRequest>): MeshRequest;
}

export function channelCheck(
  name: string,
  run: (check: ChannelCheck) => Promise<void>,
  settings: Partial<ChannelSettings> = {},
): ContractCheck<TransportHarness> {
  return {
    name,
    async run(harness) {
      const channel = harness.transport.open(channelSettingsOf({ ...settings, address: harness.endpoint.address }));
      try {
        await run({
          transport: harness.transport,
          endpoint: harness.endpoint,
          pass: (ms) => harness.pass(ms),
          close: () => harness.close(),
          channel,
          request: harness.request ?? requestOf,
        });
      } finally {
        channel.destroy(new Error("the check is over"));
        // How it ended is the check's to say; a channel that never closes must not hide it.
        await settled(harness, channel.close(), "the end of close").catch(() => undefined);
      }
    },
  };
}
