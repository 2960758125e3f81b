import { durationMs, GrpcStatus } from "@heddle/core";
import type { FakeGrpcCall } from "./fake-grpc-exchange.ts";

/** What an endpoint does with a call. What it throws ends the call with UNKNOWN, as servers do. */
export type FakeGrpcHandler = (call: FakeGrpcCall) => void | Promise<void>;

/** What an endpoint answers once it has every message. */
export interface FakeGrpcAnswer {
  /** Initial metadata. */
  readonly metadata?: Readonly<Record<string, string | string[]>>;
  readonly messages?: readonly (Uint8Array | string)[];
  /** Default OK. Without metadata and messages, an answer of trailers only. */
  readonly status?: number;
  readonly details?: string;
  readonly trailers?: Readonly<Record<string, string | string[]>>;
  /** Time until the answer. Default 0. */
  readonly delay?: number | string;
}

/**
 * An endpoint that speaks gRPC and does as it is told; one that was told nothing sends every message back and ends with OK. A behaviour
 * replaces the one before it, unless that was limited with `times`: then it follows.
 */
export interface FakeGrpcEndpoint {
  readonly address: string;
  handle(handler: FakeGrpcHandler): FakeGrpcEndpoint;
  answer(answer: FakeGrpcAnswer): FakeGrpcEndpoint;
  /** Takes the call and says nothing. */
  hang(): FakeGrpcEndpoint;
  /** Nobody listens. */
  refuse(): FakeGrpcEndpoint;
  /** The last behaviour holds for so many calls, at least 1. */
  times(calls: number): FakeGrpcEndpoint;
  /** Takes at most so many calls at once on one connection; more wait. Default: any number. */
  admit(calls: number): FakeGrpcEndpoint;
  /** Forgets what it was told; the calls that came are kept. */
  restore(): FakeGrpcEndpoint;
  /** Every call that came, in order. */
  readonly calls: readonly FakeGrpcCall[];
}

/** `null`: no connection is made. */
type Behaviour = FakeGrpcHandler | null;

const echo: FakeGrpcHandler = async (call) => {
  call.sendMetadata();
  for (let message = await call.next(); message !== null; message = await call.next()) await call.send(message);
  call.end();
};

export class ScriptedGrpcEndpoint implements FakeGrpcEndpoint {
  readonly address: string;
  readonly calls: FakeGrpcCall[] = [];
  streams: number = Number.POSITIVE_INFINITY;
  /** Connections that were ever made to it. */
  connections = 0;
  readonly #sleep: (ms: number) => Promise<void>;
  #steps: { readonly behaviour: Behaviour; remaining: number }[] = [];

  constructor(address: string, sleep: (ms: number) => Promise<void>) {
    this.address = address;
    this.#sleep = sleep;
  }

  handle(handler: FakeGrpcHandler): FakeGrpcEndpoint {
    return this.#then(handler);
  }

  answer(answer: FakeGrpcAnswer): FakeGrpcEndpoint {
    return this.#then(async (call) => {
      await call.all();
      const delayMs = durationMs(answer.delay ?? 0, "delay");
      if (delayMs > 0) await this.#sleep(delayMs);
      if (answer.metadata !== undefined) call.sendMetadata(answer.metadata);
      for (const message of answer.messages ?? []) await call.send(message);
      call.end(answer.status ?? GrpcStatus.OK, answer.details ?? "", answer.trailers ?? {});
    });
  }

  hang(): FakeGrpcEndpoint {
    return this.#then(() => undefined);
  }

  refuse(): FakeGrpcEndpoint {
    return this.#then(null);
  }

  times(calls: number): FakeGrpcEndpoint {
    const last = this.#steps.at(-1);
    if (!last) throw new TypeError("times: there is no behaviour to limit");
    if (!Number.isInteger(calls) || calls < 1) throw new TypeError(`times: ${calls} must be a whole number of at least 1`);
    last.remaining = calls;
    return this;
  }

  admit(calls: number): FakeGrpcEndpoint {
    this.streams = calls;
    return this;
  }

  restore(): FakeGrpcEndpoint {
    this.#steps = [];
    this.streams = Number.POSITIVE_INFINITY;
    return this;
  }

  /** What the next call meets. */
  behaviour(): Behaviour {
    const step = this.#steps[0];
    if (!step) return echo;
    step.remaining--;
    if (step.remaining === 0) this.#steps.shift();
    return step.behaviour;
  }

  #then(behaviour: Behaviour): FakeGrpcEndpoint {
    if (this.#steps.at(-1)?.remaining === Number.POSITIVE_INFINITY) this.#steps.pop();
    this.#steps.push({ behaviour, remaining: Number.POSITIVE_INFINITY });
    return this;
  }
}
