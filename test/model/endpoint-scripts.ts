import type { FakeEndpoint, ReceivedRequest } from "@heddle/testing";
import type { EndpointFault, FaultCommand } from "./commands.ts";

/** Every answer says who gave it, so that an answer that nobody gave is noticed. */
export const ANSWERED_BY = "x-answered-by";

/** Lets virtual time pass inside a body. */
export type Pause = (ms: number) => Promise<void>;

const CHUNK = Buffer.alloc(1_024, "a");
const LARGE = Buffer.alloc(300 * 1_024, "b");

/** Makes an endpoint do what the command says, for so many requests, or until told otherwise. */
export function script(endpoint: FakeEndpoint, { fault, times }: Pick<FaultCommand, "fault" | "times">, pause: Pause): void {
  behave(endpoint.restore(), fault, pause);
  if (times !== null) answerWell(endpoint.times(times));
}

export function answerWell(endpoint: FakeEndpoint): void {
  endpoint.respond((request) => ({ headers: mark(request), body: `{"method":"${request.method}"}` }));
}

function behave(endpoint: FakeEndpoint, fault: EndpointFault, pause: Pause): void {
  switch (fault.kind) {
    case "ok":
      answerWell(endpoint.latency(fault.latency));
      return;
    case "status":
      endpoint.respond((request) => ({
        status: fault.status,
        headers: { ...mark(request), ...(fault.retryAfter !== null && { "retry-after": String(fault.retryAfter) }) },
        body: `status ${fault.status}`,
      }));
      return;
    case "refuse":
      endpoint.refuse();
      return;
    case "refuse-stream":
      endpoint.refuseStream();
      return;
    case "garbage":
      endpoint.garbage();
      return;
    case "reset":
      endpoint.reset({ after: fault.after });
      return;
    case "hang":
      endpoint.hang({ at: fault.at });
      return;
    case "body":
      endpoint.respond((request) => ({ headers: mark(request), body: bodyOf(fault.of, pause) }));
      return;
    default:
      fault satisfies never;
  }
}

export function bodyOf(of: "truncated" | "slow" | "large" | "empty", pause: Pause): AsyncIterable<Uint8Array> | Uint8Array | string {
  switch (of) {
    case "truncated":
      return truncated(pause);
    case "slow":
      return slow(pause);
    case "large":
      return LARGE;
    case "empty":
      return "";
    default:
      return of satisfies never;
  }
}

async function* truncated(pause: Pause): AsyncGenerator<Uint8Array> {
  yield CHUNK;
  await pause(5);
  throw new Error("the endpoint broke off");
}

async function* slow(pause: Pause): AsyncGenerator<Uint8Array> {
  for (let chunk = 0; chunk < 5; chunk++) {
    yield CHUNK;
    await pause(25);
  }
}

function mark({ endpoint }: ReceivedRequest): Record<string, string> {
  return { [ANSWERED_BY]: endpoint };
}
