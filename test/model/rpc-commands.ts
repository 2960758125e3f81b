import type { RpcKind } from "@heddle/core";
import fc from "fast-check";

// What may be done to a mesh while calls of gRPC are under way, as plain data.

export const ENDPOINTS: readonly string[] = ["127.0.0.1:9081", "127.0.0.1:9082", "127.0.0.1:9083"];

export const KINDS: readonly RpcKind[] = ["unary", "client-stream", "server-stream", "bidi-stream"];

/** What one try meets. `after`: so many messages were taken by then. */
export type Plan =
  | { readonly kind: "serve"; readonly early: boolean }
  | { readonly kind: "fail" | "break" | "hang"; readonly early: boolean; readonly after: number }
  | { readonly kind: "refuse-stream" };

export type RpcCommand =
  | { readonly kind: "start"; readonly rpc: RpcKind }
  | { readonly kind: "write" | "half-close" | "cancel" | "pause" | "resume"; readonly call: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "edit"; readonly endpoints: readonly string[] }
  | { readonly kind: "kill" | "revive"; readonly endpoint: string };

export interface RpcScenario {
  readonly seed: number;
  readonly commands: readonly RpcCommand[];
  /** For the tries, in the order in which they come; those after the last are served. */
  readonly plans: readonly Plan[];
}

const call = fc.nat(7);
const early = fc.boolean();
const after = fc.nat(3);
const endpoint = fc.constantFrom(...ENDPOINTS);

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("serve" as const), early }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom("fail" as const, "fail" as const, "break" as const, "hang" as const), early, after }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "refuse-stream" as const }) },
);

const command: fc.Arbitrary<RpcCommand> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("start" as const), rpc: fc.constantFrom(...KINDS) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("write" as const), call }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("half-close" as const), call }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("cancel" as const, "pause" as const, "resume" as const), call }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(0, 0, 1, 10, 100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("edit" as const), endpoints: fc.subarray([...ENDPOINTS], { minLength: 1 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("kill" as const, "revive" as const), endpoint }) },
);

export const rpcScenario: fc.Arbitrary<RpcScenario> = fc.record({
  seed: fc.nat(1_000),
  commands: fc.array(command, { minLength: 5, maxLength: 60, size: "max" }),
  plans: fc.array(plan, { maxLength: 20, size: "max" }),
});
