import { Deadlines } from "../../packages/core/src/deadlines.ts";
import { composeInbound } from "../../packages/core/src/inbound.ts";
import { type InboundStart, startInbound } from "../../packages/core/src/inbound-call.ts";
import type { Layer } from "../../packages/core/src/layer.ts";
import type { HeaderMap, MeshResponse } from "../../packages/core/src/message.ts";
import type { InboundPolicy } from "../../packages/core/src/model/inbound-policy.ts";
import { PushBody } from "../../packages/core/src/push-body.ts";
import type { RpcKind } from "../../packages/core/src/rpc.ts";
import { plainSecurity } from "../../packages/core/test/inbound-security.ts";
import { type VirtualClock, virtualClock } from "../../packages/testing/src/virtual-clock.ts";

export interface StackFacts {
  readonly policy?: InboundPolicy | null;
  readonly isReady?: () => boolean;
  readonly accessLog?: Layer | null;
  readonly layers?: readonly Layer[];
}

export function inboundPolicy(facts: Partial<InboundPolicy> = {}): InboundPolicy {
  return {
    service: "reviews",
    mtls: "disable",
    trustHeaders: false,
    trustedPeers: [],
    jwt: [],
    authorization: null,
    layers: [],
    origin: "test",
    ...facts,
  };
}

export interface RequestFacts {
  readonly headers?: HeaderMap;
  /** Then it is a gRPC call of `/shop.Ratings/Get`. */
  readonly kind?: RpcKind;
  readonly app?: () => Promise<MeshResponse>;
}

export interface Stack {
  readonly clock: VirtualClock;
  readonly deadlines: Deadlines;
  readonly inFlight: { count: number };
  /** Puts another policy in force. */
  use(policy: InboundPolicy): void;
  start(facts?: RequestFacts): InboundStart;
  serve(started: InboundStart): Promise<MeshResponse>;
}

/** The real inbound stack in virtual time. */
export function inboundStack(facts: StackFacts = {}): Stack {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const inFlight = { count: 0 };
  let policy = facts.policy === undefined ? inboundPolicy() : facts.policy;
  const layers = facts.layers ?? [];
  const handler = composeInbound({
    clock,
    deadlines,
    policy: () => policy,
    isReady: facts.isReady ?? (() => true),
    accessLog: facts.accessLog ?? null,
    metrics: null,
    span: null,
    layers: () => layers,
    security: plainSecurity(),
    inFlight,
  });
  return {
    clock,
    deadlines,
    inFlight,
    use(next) {
      policy = next;
    },
    start: ({ headers = {}, kind, app = answering() } = {}) =>
      startInbound(
        { clock, deadlines },
        {
          method: kind === undefined ? "GET" : "POST",
          scheme: "http",
          authority: "reviews",
          path: kind === undefined ? "/" : "/shop.Ratings/Get",
          headers,
          app,
          ...(kind !== undefined && { rpc: { kind, waitForReady: false, client: null } }),
        },
      ),
    serve: ({ request }) => handler(request),
  };
}

/** An application that answers 200 with this body. */
export function answering(body: PushBody = PushBody.of("ok")): () => Promise<MeshResponse> {
  return async () => ({ status: 200, headers: {}, body });
}
