import type { RequestListener } from "node:http";
import { checkKeys, type Duration, durationMs, type Random } from "@heddle/core";
import { type Answer, type AnswerFunction, checked, type ReceivedRequest } from "./answer.ts";
import { answerFromApp, type FastifyLike, isApp } from "./app-answer.ts";

/** How far an exchange gets before it breaks: the request was sent, the head was given, part of the body was given. */
export type ExchangeStage = "send" | "head" | "body";

/** Where an exchange stops going on: no connection is made, the request's body is not read, no head comes, or no end of the body. */
export type HangStage = "connect" | "request" | "head" | "body";

export type Behaviour =
  | { readonly kind: "answer"; readonly answer: Answer | AnswerFunction }
  | { readonly kind: "hang"; readonly at: HangStage }
  | { readonly kind: "reset"; readonly after: ExchangeStage }
  | { readonly kind: "refuse" }
  | { readonly kind: "refuse-stream" }
  | { readonly kind: "garbage" };

/** A fixed time, or one drawn evenly between two. */
export type Latency = Duration | { readonly min: Duration; readonly max: Duration };

/**
 * An endpoint that does as it is told, and answers 200 `{}` otherwise. A behaviour replaces the one before it, unless that was limited
 * with `times`: then it follows.
 *
 * ```ts
 * endpoint.respond({ status: 503 }).times(2).respond({ json: { ok: true } });
 * ```
 */
export interface FakeEndpoint {
  readonly address: string;
  respond(answer: Answer | AnswerFunction): FakeEndpoint;
  /** Runs an Express or Fastify application or a node:http listener, without a socket. */
  respond(app: RequestListener | FastifyLike): FakeEndpoint;
  app(app: RequestListener | FastifyLike): FakeEndpoint;
  /** The last behaviour holds for so many requests, at least 1. */
  times(requests: number): FakeEndpoint;
  /** Goes silent. Default: at the head, the request being accepted. */
  hang(options?: { readonly at?: HangStage }): FakeEndpoint;
  /** Breaks the connection. Default: after the request was sent. */
  reset(options?: { readonly after?: ExchangeStage }): FakeEndpoint;
  /** Nobody listens: connections that idle are gone, new ones are refused. */
  refuse(): FakeEndpoint;
  /** Says that it did not process the request, as HTTP/2 servers that shut down do. */
  refuseStream(): FakeEndpoint;
  /** Answers something that is not the protocol. */
  garbage(): FakeEndpoint;
  /** Time between request and head, for every behaviour that gives a head. */
  latency(latency: Latency): FakeEndpoint;
  /** Forgets behaviours and latency; what it received is kept. */
  restore(): FakeEndpoint;
  /** What it received, in order. Requests of refused connections never arrive. */
  readonly requests: readonly ReceivedRequest[];
  /** Over all channels since the start. */
  readonly connections: { readonly opened: number; readonly closed: number };
}

interface Step {
  readonly behaviour: Behaviour;
  remaining: number;
}

const DEFAULT_BEHAVIOUR: Behaviour = { kind: "answer", answer: { json: {} } };

/** The transport's side of a {@link FakeEndpoint}. */
export class ScriptedEndpoint implements FakeEndpoint {
  readonly address: string;
  readonly requests: ReceivedRequest[] = [];
  readonly connections: { opened: number; closed: number } = { opened: 0, closed: 0 };
  readonly #random: Random;
  readonly #wallTime: () => number;
  #steps: Step[] = [];
  #latency: { readonly minMs: number; readonly maxMs: number } = { minMs: 0, maxMs: 0 };

  constructor(address: string, random: Random, wallTime: () => number) {
    this.address = address;
    this.#random = random;
    this.#wallTime = wallTime;
  }

  respond(answer: Answer | AnswerFunction | RequestListener | FastifyLike): FakeEndpoint {
    if (isApp(answer)) return this.app(answer);
    return this.#then({ kind: "answer", answer: typeof answer === "function" ? answer : checked(answer) });
  }

  app(app: RequestListener | FastifyLike): FakeEndpoint {
    return this.#then({ kind: "answer", answer: answerFromApp(app, this.#wallTime) });
  }

  times(requests: number): FakeEndpoint {
    const last = this.#steps.at(-1);
    if (!last) throw new TypeError("times: there is no behaviour to limit");
    if (!Number.isInteger(requests) || requests < 1) throw new TypeError(`times: ${requests} must be a whole number of at least 1`);
    last.remaining = requests;
    return this;
  }

  hang(options?: { readonly at?: HangStage }): FakeEndpoint {
    checkKeys(options ?? {}, ["at"], "hang");
    return this.#then({ kind: "hang", at: options?.at ?? "head" });
  }

  reset(options?: { readonly after?: ExchangeStage }): FakeEndpoint {
    checkKeys(options ?? {}, ["after"], "reset");
    return this.#then({ kind: "reset", after: options?.after ?? "send" });
  }

  refuse(): FakeEndpoint {
    return this.#then({ kind: "refuse" });
  }

  refuseStream(): FakeEndpoint {
    return this.#then({ kind: "refuse-stream" });
  }

  garbage(): FakeEndpoint {
    return this.#then({ kind: "garbage" });
  }

  latency(latency: Latency): FakeEndpoint {
    const range = typeof latency === "object" ? latency : { min: latency, max: latency };
    this.#latency = { minMs: durationMs(range.min, "latency"), maxMs: durationMs(range.max, "latency") };
    return this;
  }

  restore(): FakeEndpoint {
    this.#steps = [];
    this.#latency = { minMs: 0, maxMs: 0 };
    return this;
  }

  /** What the next request meets. */
  next(): Behaviour {
    const step = this.#steps[0];
    if (!step) return DEFAULT_BEHAVIOUR;
    step.remaining--;
    if (step.remaining === 0) this.#steps.shift();
    return step.behaviour;
  }

  nextLatencyMs(): number {
    const { minMs, maxMs } = this.#latency;
    return maxMs > minMs ? minMs + (maxMs - minMs) * this.#random() : minMs;
  }

  #then(behaviour: Behaviour): FakeEndpoint {
    if (this.#steps.at(-1)?.remaining === Number.POSITIVE_INFINITY) this.#steps.pop();
    this.#steps.push({ behaviour, remaining: Number.POSITIVE_INFINITY });
    return this;
  }
}
