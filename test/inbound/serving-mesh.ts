import { type Clock, type Closing, Deadlines, type Problem, type ServerTls, systemClock, type UserLayer } from "@heddle/core";
import type { ServingMesh } from "@heddle/http";
import { composeInbound } from "../../packages/core/src/inbound.ts";
import type { Layer } from "../../packages/core/src/layer.ts";
import type { InboundPolicy } from "../../packages/core/src/model/inbound-policy.ts";
import { plainSecurity } from "../../packages/core/test/inbound-security.ts";
import { inboundPolicy } from "./inbound-stack.ts";

export interface ServingFacts {
  readonly policy?: Partial<InboundPolicy>;
  readonly isReady?: () => boolean;
  readonly because?: readonly string[];
  readonly hasService?: boolean;
  readonly layers?: readonly UserLayer["layer"][];
  /** Each request waits for this before the stack looks at it. */
  readonly gate?: Promise<void>;
  /** Default: no TLS. */
  readonly serverTls?: ServerTls;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const NO_TLS: ServerTls = {
  mode: () => "disable",
  socketOptions: () => {
    throw new Error("this mesh has no TLS");
  },
  contextOptions: () => {
    throw new Error("this mesh has no TLS");
  },
  verify: () => ({ refused: "this mesh has no TLS" }),
  refused: () => {},
  onChange: () => () => {},
};

/** What serves of a mesh: the real inbound stack and the real clock, for tests with real sockets. Counts what runs through it. */
export interface TestServingMesh extends ServingMesh {
  readonly serverTls: ServerTls;
  isDraining: boolean;
  /** Times the stack was run. */
  runs: number;
  /** `200`, or the error, of each exchange that is over, in the order they ended. */
  readonly outcomes: unknown[];
  readonly routes: string[];
  readonly inFlight: { count: number };
  readonly closings: Set<Closing>;
  readonly problems: Problem[];
  close(): Promise<void>;
}

export function servingMesh(facts: ServingFacts = {}): TestServingMesh {
  const { clock = systemClock } = facts;
  const deadlines = new Deadlines(clock);
  const inFlight = { count: 0 };
  const policy = inboundPolicy(facts.policy);
  const closings = new Set<Closing>();
  const problems: Problem[] = [];
  const record: Layer = (next) => async (request) => {
    mesh.runs++;
    if (facts.gate) await facts.gate;
    const over = (outcome: unknown) => {
      mesh.outcomes.push(outcome);
      mesh.routes.push(request.context.route);
    };
    return next(request).then(
      (response) => {
        response.body.whenEnd((error) => over(error ?? response.status));
        return response;
      },
      (error: unknown) => {
        over(error);
        throw error;
      },
    );
  };
  const layers = (facts.layers ?? []) as readonly unknown[] as readonly Layer[];
  const mesh: TestServingMesh = {
    clock,
    deadlines,
    serverTls: facts.serverTls ?? NO_TLS,
    // For types, packages see each other as built; composeInbound is not exported.
    inbound: composeInbound({
      clock,
      deadlines: deadlines as unknown as Parameters<typeof composeInbound>[0]["deadlines"],
      policy: () => policy,
      isReady: facts.isReady ?? (() => true),
      accessLog: record,
      metrics: null,
      span: null,
      layers: () => layers,
      security: plainSecurity(),
      inFlight,
    }) as unknown as ServingMesh["inbound"],
    isGuarded: (facts.layers ?? []).length > 0,
    reportProblem: (problem) => problems.push(problem),
    assertServing: () => {
      if (facts.hasService === false) throw new TypeError("this mesh has no service");
    },
    onClose: (closing) => {
      closings.add(closing);
      return () => closings.delete(closing);
    },
    health: () => ({ ok: (facts.because ?? []).length === 0, because: facts.because ?? [], warnings: [] }),
    isDraining: false,
    runs: 0,
    outcomes: [],
    routes: [],
    inFlight,
    closings,
    problems,
    async close() {
      mesh.isDraining = true;
      for (const closing of closings) closing.drain();
      for (const closing of [...closings]) await closing.close();
      deadlines.close();
    },
  };
  return mesh;
}
