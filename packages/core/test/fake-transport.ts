import type { HeaderMap, MeshRequest, MeshResponse } from "../src/message.ts";
import { localResponse } from "../src/message.ts";
import type { PushBody } from "../src/push-body.ts";
import { trailersOnly } from "../src/rpc-answer.ts";
import { type Channel, type ChannelSettings, type Transport, TransportFailure, type TransportFailureKind } from "../src/transport.ts";

/** What an endpoint does with a try. What is not sent is never answered. */
export type Answer = (request: MeshRequest) => MeshResponse | Promise<MeshResponse>;

export interface FakeTransport extends Transport {
  /** Every try that reached an endpoint, oldest first. */
  readonly sent: { readonly address: string; readonly request: MeshRequest }[];
  /** `open a:1`, `close a:1`, `destroy a:1`, in order. */
  readonly events: string[];
  /** What the next tries to an address get, the last one for ever. Unscripted: 200. */
  script(address: string, ...answers: Answer[]): void;
}

export function status(code: number, headers: HeaderMap = {}, body: string | null = null): Answer {
  return (request) => {
    if (request.attempt) request.attempt.wasSent = true;
    return localResponse(code, body, headers);
  };
}

export function fails(kind: TransportFailureKind, facts: { wasSent?: boolean; reusedConnection?: boolean; code?: string } = {}): Answer {
  return ({ attempt }) => {
    if (attempt) {
      if (facts.wasSent ?? kind !== "connect-failure") attempt.wasSent = true;
      attempt.reusedConnection = facts.reusedConnection ?? false;
    }
    throw new TransportFailure(kind, kind, facts.code === undefined ? {} : { cause: Object.assign(new Error(facts.code), facts) });
  };
}

/** The head, and a body in the test's hands. */
export function streams(body: PushBody, code = 200): Answer {
  return () => ({ status: code, headers: Object.create(null) as HeaderMap, body });
}

/** A gRPC call that ends at once, without a head of its own. */
export function ends(grpcStatus: number, trailers: HeaderMap = {}): Answer {
  return ({ attempt }) => {
    if (attempt) attempt.wasSent = true;
    return trailersOnly(grpcStatus, "", trailers);
  };
}

export const hangs: Answer = ({ attempt }) => {
  if (attempt) attempt.wasSent = true;
  return new Promise(() => {});
};

export const stuck: Answer = () => new Promise(() => {});

/** Endpoints do what they were told; cancelling works as the contract of {@link Channel} says. */
export function fakeTransport(): FakeTransport {
  const scripts = new Map<string, Answer[]>();
  const sent: FakeTransport["sent"] = [];
  const events: string[] = [];
  const answerOf = (address: string): Answer => {
    const script = scripts.get(address) ?? [];
    return (script.length > 1 ? script.shift() : script[0]) ?? status(200);
  };
  const open = ({ address }: ChannelSettings): Channel => {
    const exchanges = new Set<(reason: unknown) => void>();
    let whenIdle: (() => void) | null = null;
    let closed: Promise<void> | null = null;
    const send = (request: MeshRequest): Promise<MeshResponse> =>
      new Promise((resolve, reject) => {
        sent.push({ address, request });
        let body: PushBody | null = null;
        const cut = (reason: unknown): void => (body ? body.fail(reason) : over(reject)(reason));
        const over =
          <T>(settle: (value: T) => void) =>
          (value: T): void => {
            exchanges.delete(cut);
            if (exchanges.size === 0) whenIdle?.();
            settle(value);
          };
        exchanges.add(cut);
        request.cancel.onCancel(cut);
        if (request.cancel.isCancelled) return;
        new Promise<MeshResponse>((answer) => answer(answerOf(address)(request))).then((response) => {
          body = response.body;
          body.whenEnd(over(() => {}));
          resolve(response);
        }, over(reject));
      });
    events.push(`open ${address}`);
    return {
      send,
      connections: () => exchanges.size,
      close: () => {
        if (closed) return closed;
        events.push(`close ${address}`);
        closed = new Promise((resolve) => {
          whenIdle = resolve;
          if (exchanges.size === 0) resolve();
        });
        return closed;
      },
      destroy: (reason) => {
        events.push(`destroy ${address}`);
        for (const cut of [...exchanges]) cut(new TransportFailure("reset", reason.message, { cause: reason }));
      },
    };
  };
  return { sent, events, open, script: (address, ...answers) => void scripts.set(address, answers) };
}
