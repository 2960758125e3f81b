import fc from "fast-check";
import { BROKEN, ENDPOINTS, edit, type Settings, settings } from "./settings.ts";

/** The ways into the mesh. */
export const DOORS = ["request", "service", "fetch", "dispatcher", "test-request", "test-fetch"] as const;
export type Door = (typeof DOORS)[number];

/** What the caller does with the answer. `later` waits for a command. */
export type Reading = "whole" | "part" | "discard" | "never" | "later";

export interface CallCommand {
  readonly kind: "call";
  /** So many at once. */
  readonly count: number;
  readonly door: Door;
  readonly service: "reviews" | "details";
  readonly path: "/" | "/gone" | "/moved";
  readonly method: "GET" | "PUT" | "POST";
  readonly body: "none" | "text" | "stream" | "slow" | "big";
  readonly isIdempotent: boolean;
  readonly mayRetry: boolean;
  readonly timeout: number | null;
  readonly reading: Reading;
}

export interface ProtectCommand {
  readonly kind: "protect";
  readonly run: "ok" | "fail" | "fail-once" | "slow" | "hang";
  readonly timeout: number | null;
}

export type EndpointFault =
  | { readonly kind: "ok"; readonly latency: number }
  | { readonly kind: "status"; readonly status: number; readonly retryAfter: number | null }
  | { readonly kind: "refuse" }
  | { readonly kind: "refuse-stream" }
  | { readonly kind: "garbage" }
  | { readonly kind: "reset"; readonly after: "send" | "head" | "body" }
  | { readonly kind: "hang"; readonly at: "connect" | "request" | "head" | "body" }
  | { readonly kind: "body"; readonly of: "truncated" | "slow" | "large" | "empty" };

export interface FaultCommand {
  readonly kind: "fault";
  /** The same for every endpoint of `reviews`, or one of all that there are. */
  readonly endpoint: number | "all";
  readonly fault: EndpointFault;
  readonly times: number | null;
}

/** `which` counts from the newest that is concerned; modulo how many there are. */
export type Command =
  | CallCommand
  | ProtectCommand
  | FaultCommand
  | { readonly kind: "edit"; readonly set: Partial<Settings> }
  | { readonly kind: "break"; readonly how: number }
  | { readonly kind: "same" }
  | { readonly kind: "abort"; readonly which: number }
  | { readonly kind: "read"; readonly which: number; readonly reading: Reading }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "close"; readonly drain: number; readonly limit: number };

export interface Scenario {
  readonly seed: number;
  readonly settings: Settings;
  readonly commands: readonly Command[];
}

const reading = fc.constantFrom<Reading>("whole", "whole", "part", "discard", "never", "never", "later");

export const call: fc.Arbitrary<CallCommand> = fc.record({
  kind: fc.constant("call" as const),
  count: fc.constantFrom(1, 1, 1, 1, 1, 3, 12),
  door: fc.constantFrom(...DOORS),
  service: fc.oneof({ weight: 6, arbitrary: fc.constant("reviews" as const) }, { weight: 1, arbitrary: fc.constant("details" as const) }),
  path: fc.oneof(
    { weight: 12, arbitrary: fc.constant("/" as const) },
    { weight: 1, arbitrary: fc.constantFrom("/gone" as const, "/moved" as const) },
  ),
  method: fc.constantFrom("GET", "GET", "POST", "PUT"),
  body: fc.constantFrom("none", "text", "stream", "slow", "big"),
  isIdempotent: fc.integer({ min: 0, max: 4 }).map((one) => one === 4),
  mayRetry: fc.integer({ min: 0, max: 7 }).map((one) => one !== 7),
  timeout: fc.constantFrom(null, null, null, 20, 150),
  reading,
});

const protect: fc.Arbitrary<ProtectCommand> = fc.record({
  kind: fc.constant("protect" as const),
  run: fc.constantFrom("ok", "fail", "fail-once", "slow", "hang"),
  timeout: fc.constantFrom(null, null, 30),
});

const endpointFault: fc.Arbitrary<EndpointFault> = fc.oneof(
  fc.record({ kind: fc.constant("ok" as const), latency: fc.constantFrom(0, 5, 50, 400) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("status" as const),
      status: fc.constantFrom(503, 500, 429, 409, 404),
      retryAfter: fc.constantFrom(null, null, 0, 1, 8),
    }),
  },
  fc.constantFrom({ kind: "refuse" as const }, { kind: "refuse-stream" as const }, { kind: "garbage" as const }),
  fc.record({ kind: fc.constant("reset" as const), after: fc.constantFrom("send" as const, "head" as const, "body" as const) }),
  fc.record({
    kind: fc.constant("hang" as const),
    at: fc.constantFrom("connect" as const, "request" as const, "head" as const, "body" as const, "body" as const),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("body" as const),
      of: fc.constantFrom("slow" as const, "large" as const, "large" as const, "truncated" as const, "empty" as const),
    }),
  },
);

const fault: fc.Arbitrary<FaultCommand> = fc.record({
  kind: fc.constant("fault" as const),
  endpoint: fc.oneof(
    { weight: 2, arbitrary: fc.constant("all" as const) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: ENDPOINTS.length + 1 }) },
  ),
  fault: endpointFault,
  times: fc.constantFrom(null, 1, 3),
});

const ADVANCES = [1, 5, 5, 10, 10, 25, 25, 60, 60, 150, 150, 400, 400, 1_000, 3_000, 11_000, 31_000];

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 24, arbitrary: call },
  { weight: 2, arbitrary: protect },
  { weight: 5, arbitrary: fault },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("edit" as const), set: edit }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("break" as const), how: fc.nat({ max: BROKEN.length - 1 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "same" as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("abort" as const), which: fc.nat({ max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const), which: fc.nat({ max: 9 }), reading }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.constantFrom(...ADVANCES) }) },
);

const close: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant("close" as const),
  drain: fc.constantFrom(0, 50),
  limit: fc.constantFrom(0, 100, 5_000),
});

const some = (maxLength: number) => fc.noBias(fc.array(command, { maxLength, size: "max" }));

/** Sometimes the mesh is closed in the middle; at the end it always is. */
const commands: fc.Arbitrary<readonly Command[]> = fc
  .tuple(fc.oneof(some(20), some(56)), fc.option(close, { freq: 2 }), fc.array(command, { maxLength: 4, size: "max" }))
  .map(([before, closing, after]) => (closing ? [...before, closing, ...after] : before));

export const scenario: fc.Arbitrary<Scenario> = fc.record({ seed: fc.nat({ max: 9_999 }), settings, commands });
