import { type Attempt, type Channel, type Layer, type MeshRequest, meshError, type RequestContext, type UserLayer } from "@heddle/core";
import type { FakeTransport, VirtualClock } from "@heddle/testing";
import type { Configuration } from "./configuration.ts";
import { DETAILS, type Settings, SHADOW, SPARE } from "./settings.ts";

/** One call as it passed the stack, seen by a layer at `request`. */
export interface StackRecord {
  readonly id: string;
  readonly method: string;
  readonly context: RequestContext;
  /** In force when it began: it keeps these routes. */
  readonly settings: Settings;
  /** Which life of `reviews` it began in: a service that returns starts anew. */
  readonly life: number;
  /** How it left the stack, and how often. */
  readonly outcomes: string[];
}

/** One try, seen by a layer at `attempt`. */
export interface TryRecord {
  readonly startedAt: number;
  readonly percent: number;
  endedAt: number | null;
  /** What the budget held beside its deposits when the try ended. */
  reserve: number;
}

/** What an application can see of its own traffic: by layers of its own, and beneath them, at the transport. The model believes nothing else. */
export class Journal {
  readonly stack = new Map<RequestContext, StackRecord>();
  readonly tries = new Map<Attempt, TryRecord>();
  readonly violations: string[] = [];
  mirrored = 0;
  readonly #configuration: Configuration;
  readonly #clock: () => VirtualClock;

  constructor(configuration: Configuration, clock: () => VirtualClock) {
    this.#configuration = configuration;
    this.#clock = clock;
  }

  layers(): readonly UserLayer[] {
    return [
      { at: "request", layer: this.#atRequest },
      { at: "attempt", layer: this.#atAttempt },
    ];
  }

  /** Watches what leaves for which endpoint, at the moment of the pick. */
  tap(transport: FakeTransport): void {
    const open = transport.open;
    transport.open = (settings) => {
      const channel = open(settings);
      const send: Channel["send"] = (request) => {
        this.#sent(settings.address, request);
        return channel.send(request);
      };
      return { send, connections: () => channel.connections(), close: () => channel.close(), destroy: (reason) => channel.destroy(reason) };
    };
  }

  readonly #atRequest: Layer = (next) => (request) => {
    const { current, life } = this.#configuration;
    const id = String(request.headers["x-id"]);
    const record: StackRecord = { id, method: request.method, context: request.context, settings: current, life, outcomes: [] };
    this.stack.set(request.context, record);
    return next(request).then(
      (response) => {
        record.outcomes.push(`${response.status}`);
        return response;
      },
      (error: unknown) => {
        record.outcomes.push(meshError(error)?.code ?? "reason");
        throw error;
      },
    );
  };

  readonly #atAttempt: Layer = (next) => (request) => {
    const { attempt } = request;
    if (!attempt) throw new Error("a try without its record");
    const { budget } = this.#configuration;
    const record: TryRecord = { startedAt: this.#now(), percent: budget.percent, endedAt: null, reserve: 0 };
    this.tries.set(attempt, record);
    const ended = () => {
      record.endedAt = this.#now();
      record.reserve = this.#configuration.budget.minPerSecond * 10;
    };
    return next(request).then(
      (response) => {
        ended();
        return response;
      },
      (error: unknown) => {
        ended();
        throw error;
      },
    );
  };

  #sent(address: string, request: MeshRequest): void {
    const { attempt, context } = request;
    const backend = attempt?.backend ?? "";
    const allowed = this.#allowed(backend, this.stack.get(context)?.life ?? this.#configuration.life);
    if (backend === "shadow") this.mirrored++;
    if (!allowed.includes(address)) {
      this.violations.push(
        `${request.headers["x-id"]} went to ${address}, which is no endpoint of ${backend} (${allowed.join(", ") || "none"})`,
      );
    }
    if (attempt?.endpoint !== address) this.violations.push(`${request.headers["x-id"]} says ${attempt?.endpoint} and went to ${address}`);
  }

  #allowed(backend: string, life: number): readonly string[] {
    if (backend === "details") return DETAILS;
    if (backend === "spare") return [SPARE];
    if (backend === "shadow") return [SHADOW];
    return this.#configuration.endpointsOf(backend, life);
  }

  #now(): number {
    return this.#clock().now();
  }
}
