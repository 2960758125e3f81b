import { type ContractCheck, type ContractOptions, registerChecks } from "./contract/check.ts";
import { transportBodyChecks } from "./contract/transport-body.ts";
import { transportCancelChecks } from "./contract/transport-cancel.ts";
import { transportFailureChecks } from "./contract/transport-failure.ts";
import type { TransportHarness } from "./contract/transport-harness.ts";
import { transportLifetimeChecks } from "./contract/transport-lifetime.ts";
import { transportHttpChecks, transportMessageChecks } from "./contract/transport-message.ts";
import { type PipeHarness, transportPipeChecks } from "./contract/transport-pipe.ts";
import { type RpcHarness, transportRpcChecks } from "./contract/transport-rpc.ts";

const SHARED: readonly ContractCheck<TransportHarness>[] = [
  ...transportMessageChecks,
  ...transportBodyChecks,
  ...transportFailureChecks,
  ...transportCancelChecks,
  ...transportLifetimeChecks,
];

/** Every promise that `Transport` and `Channel` make, as checks. */
export const transportChecks: readonly ContractCheck<TransportHarness>[] = [...SHARED, ...transportHttpChecks];

/** For a transport that carries gRPC calls: the same promises as far as calls have what they are about, and those of calls alone. */
export function transportRpcContract(options: ContractOptions<RpcHarness>): void {
  registerChecks<RpcHarness>([...SHARED, ...transportRpcChecks], options);
}

/** For a transport that carries upgrades and CONNECT: what it promises beside all that, over an endpoint that switches. */
export function transportPipeContract(options: ContractOptions<PipeHarness>): void {
  registerChecks(transportPipeChecks, options);
}

/**
 * The suite for a {@link Transport} of your own.
 *
 * ```ts
 * transportContract({ name: "my transport", test, open: async () => ({ transport, endpoint: await loopbackEndpoint(), pass, close }) });
 * ```
 */
export function transportContract(options: ContractOptions<TransportHarness>): void {
  registerChecks(transportChecks, options);
}
