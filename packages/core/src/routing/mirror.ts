import { Cancel } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import { RequestContext } from "../context.ts";
import type { Deadlines } from "../deadlines.ts";
import { discard } from "../discard.ts";
import { isTaken } from "../fraction.ts";
import type { Handler, Layer } from "../layer.ts";
import { derive, isUpgrade, localResponse, type MeshRequest, type RequestBody } from "../message.ts";
import type { Fraction } from "../model/match.ts";
import type { Random } from "../random.ts";

/** A streamed body that is longer is not mirrored. */
export const MIRROR_BYTES: number = 64 * 1024;

export interface Mirror {
  readonly service: string;
  readonly route: string;
  readonly fraction: Fraction;
  /** The stack of the mirror's backend: with a deadline, without retries. */
  readonly stack: Handler;
}

export interface MirrorDependencies {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly metrics: Layer;
}

/**
 * Sends copies of some requests elsewhere and discards the answers. A copy has a context of its own: it never delays the request, does
 * not share its fate, and is counted under the service `mirror:<service>`. Beneath rewrite, so that the copy is what the primary
 * gets; above the split, so that there is one copy however often the request is tried.
 */
export function mirror(mirrors: readonly Mirror[], dependencies: MirrorDependencies): Layer {
  return (next) => (request) => {
    // A byte pipe has two ends; a copy would have nobody at one of them.
    if (isUpgrade(request)) return next(request);
    const taken = mirrors.filter(({ fraction }) => isTaken(fraction, dependencies.random));
    if (taken.length === 0) return next(request);
    const copyTo = (body: RequestBody) => {
      for (const target of taken) sendCopy(target, request, body, dependencies);
    };
    const { body, context } = request;
    if (!isStream(body)) {
      const reply = next(request);
      copyTo(body);
      return reply;
    }
    const skip = () => {
      for (const target of taken) countSkipped(target, request, dependencies);
    };
    return next(derive(request, { body: captured(body, context.rpc === null ? joined : messages, copyTo, skip) }));
  };
}

function isStream(body: RequestBody): body is Exclude<RequestBody, null | string | Uint8Array> {
  return body !== null && typeof body !== "string" && !(body instanceof Uint8Array);
}

const joined = (kept: readonly Buffer[]): RequestBody => Buffer.concat(kept);

/** Of a gRPC call every chunk is a message: where one ends and the next begins is not lost. */
const messages = (kept: readonly Buffer[]): RequestBody => ({
  async *[Symbol.asyncIterator]() {
    yield* kept;
  },
});

/** Passes a stream on as it is read. At its end `copyTo` is given all of it; `skip` is called if it gets too long, or breaks off. */
async function* captured(
  source: AsyncIterable<Uint8Array | string>,
  bodyOf: (kept: readonly Buffer[]) => RequestBody,
  copyTo: (body: RequestBody) => void,
  skip: () => void,
): AsyncGenerator<Uint8Array | string, void, undefined> {
  let kept: Buffer[] | null = [];
  let bytes = 0;
  let isComplete = false;
  try {
    for await (const chunk of source) {
      // A gRPC message without bytes takes room too.
      bytes += Buffer.byteLength(chunk) || 1;
      if (bytes > MIRROR_BYTES) kept = null;
      // A copy: whoever gave the bytes may use their memory again.
      else kept?.push(Buffer.from(chunk as string));
      yield chunk;
    }
    isComplete = true;
  } finally {
    if (isComplete && kept) copyTo(bodyOf(kept));
    else skip();
  }
}

function sendCopy(target: Mirror, request: MeshRequest, body: RequestBody, { clock, deadlines, metrics }: MirrorDependencies): void {
  const now = clock.now();
  const copy = copyOf(request, body, now, target.service, target.route);
  const counted = countedAs(target, request, now);
  const send: Handler = () => target.stack(copy).finally(() => counted.context.attempts.push(...copy.context.attempts));
  // After the primary has been sent, and with nobody to tell if it fails: that is in the counters.
  void Promise.resolve()
    .then(() => metrics(send)(counted))
    .then(
      (response) => discard(response, deadlines),
      () => undefined,
    );
}

function countSkipped(target: Mirror, request: MeshRequest, { clock, metrics }: MirrorDependencies): void {
  const counted = countedAs(target, request, clock.now());
  counted.context.outcome = "not_mirrored";
  void metrics(() => Promise.resolve(localResponse(200, null)))(counted);
}

/** Apart, so that the counters of a service tell of its callers alone. */
function countedAs(target: Mirror, request: MeshRequest, now: number): MeshRequest {
  return copyOf(request, null, now, `mirror:${target.service}`, target.route);
}

/** The trace goes on in it; the caller's options, deadline and cancellation do not. */
function copyOf(request: MeshRequest, body: RequestBody, now: number, service: string, route: string): MeshRequest {
  const cancel = new Cancel();
  const context = new RequestContext(now, {}, cancel, request.context.scope);
  context.service = service;
  context.route = route;
  context.rpc = request.context.rpc;
  return { ...request, body, context, cancel, attempt: null };
}
