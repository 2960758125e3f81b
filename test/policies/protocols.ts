import { type ClientReadableStream, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type CallOptions, meshError, type Report } from "@heddle/core";
import { type TestMesh, type TestMeshOptions, testMesh } from "@heddle/testing";
import { streamed } from "../grpc/calls.ts";
import { TextClient } from "../grpc/text-service.ts";
import { document } from "./policy-mesh.ts";

// One text for both protocols: what a test of a policy says of endpoints, calls and outcomes, and how each protocol says it. The tests are
// retry, guards, spread, timeouts and routes. HTTP's alone, because gRPC has no such thing: rewrites, redirects and methods (paths),
// answers with a body (fallback), ranges of statuses and answers that are slow in their head (failure), header faults by HTTP status
// (fault), event streams and readers that pause beside a finite answer (timeout-parts). Of no protocol: protect, own-balancer,
// user-layers, given-policies and engine-opossum hold what stands above or below it.

/** What an endpoint may answer. */
export type Word = "ok" | "unavailable" | "internal" | "missing" | "exhausted";

const HTTP: Readonly<Record<Word, number>> = { ok: 200, unavailable: 503, internal: 500, missing: 404, exhausted: 429 };
const GRPC: Readonly<Record<Word, keyof typeof status>> = {
  ok: "OK",
  unavailable: "UNAVAILABLE",
  internal: "INTERNAL",
  missing: "NOT_FOUND",
  exhausted: "RESOURCE_EXHAUSTED",
};

export interface DrivenCall {
  /** Default `reviews`. */
  readonly service?: string;
  /** The body, or the one message. Default: `hello`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream of answers: an event stream, or a call of that kind. */
  readonly isStream?: boolean;
  readonly signal?: AbortSignal;
  readonly mesh?: CallOptions;
}

/** A call from its first byte to its last. */
export interface DrivenReply {
  /** As counters and reports have it: of the answer ({@link Protocol.outcome}), or the code of a MeshError; `cancelled`: by its caller. */
  readonly outcome: string;
  /** Everything that came. */
  readonly text: string;
  readonly report: Report | undefined;
}

export interface DrivenEndpoint {
  answer(word: Word, more?: { readonly text?: string; readonly delay?: string; readonly waitMs?: number }): DrivenEndpoint;
  /** Answers `0`, `1`, ... one by one. */
  ticks(everyMs: number, count: number, isStream?: boolean): DrivenEndpoint;
  times(calls: number): DrivenEndpoint;
  hang(): DrivenEndpoint;
  refuse(): DrivenEndpoint;
  /** Breaks once it has the request. */
  reset(): DrivenEndpoint;
  restore(): DrivenEndpoint;
  /** What came: the texts that were sent. */
  readonly received: readonly string[];
  readonly headers: readonly Readonly<Record<string, unknown>>[];
}

export interface Driven extends AsyncDisposable {
  readonly t: TestMesh;
  readonly protocol: Protocol;
  call(call?: DrivenCall): Promise<DrivenReply>;
  /** `call`, and the time that it may take. */
  within(duration: string | number, call?: DrivenCall): Promise<DrivenReply>;
  at(address: string): DrivenEndpoint;
  /** Puts another document in force, as {@link Protocol.mesh} takes it. */
  update(reviews?: object, more?: Readonly<Record<string, object>>): void;
}

export interface Protocol {
  readonly name: "http" | "grpc";
  /** As documents name it, in `retry.on` and `fallback.on`. */
  condition(word: Word): number | string;
  /** Under `failure`. */
  failure(...words: readonly Word[]): object;
  outcome(word: Word): string;
  /** Repeats whatever these say: the method is POST, and consent is part of what `grpc:` says. */
  retryOn(...words: readonly Word[]): object;
  mesh(reviews?: object, more?: Readonly<Record<string, object>>, options?: Omit<TestMeshOptions, "config">): Driven;
}

async function settled(t: TestMesh, reply: Promise<DrivenReply>, duration: string | number): Promise<DrivenReply> {
  await t.advance(duration);
  return await reply;
}

/** What a protocol does in its own way. */
interface Way {
  documentOf(reviews?: object, more?: Readonly<Record<string, object>>): object;
  call(t: TestMesh, call: DrivenCall): Promise<DrivenReply>;
  at(t: TestMesh, address: string): DrivenEndpoint;
}

function driven(
  protocol: Protocol,
  way: Way,
  services: Parameters<Way["documentOf"]>,
  options: Omit<TestMeshOptions, "config"> | undefined,
): Driven {
  const t = testMesh({ ...options, config: way.documentOf(...services) });
  const call = (given: DrivenCall = {}) => way.call(t, given);
  return {
    t,
    protocol,
    call,
    within: (duration, given) => settled(t, call(given), duration),
    at: (address) => way.at(t, address),
    update: (...next) => t.update(way.documentOf(...next)),
    [Symbol.asyncDispose]: () => t.close(),
  };
}

const pause = (t: TestMesh, ms: number) => new Promise<void>((resolve) => t.clock.setTimer(ms, resolve));

export const http: Protocol = {
  name: "http",
  condition: (word) => HTTP[word],
  failure: (...words) => ({ statuses: words.map((word) => HTTP[word]) }),
  outcome: (word) => `${HTTP[word]}`,
  retryOn: (...words) => ({ on: words.map((word) => HTTP[word]), methods: ["POST"] }),
  mesh: (reviews, more, options) => driven(http, { documentOf: document, call: httpCall, at: httpEndpoint }, [reviews, more], options),
};

async function httpCall(
  t: TestMesh,
  { service = "reviews", text = "hello", headers = {}, signal, mesh = {} }: DrivenCall,
): Promise<DrivenReply> {
  const options = { method: "POST", body: text, headers, mesh, ...(signal ? { signal } : {}) };
  let held: object | undefined;
  try {
    const reply = await t.request(`http://${service}/api`, options);
    held = reply;
    return { outcome: `${reply.status}`, text: await reply.text(), report: t.report(reply) };
  } catch (error) {
    const outcome = signal?.aborted ? "cancelled" : (meshError(error)?.code ?? String(error));
    return { outcome, text: "", report: t.report(held ?? error) };
  }
}

function httpEndpoint(t: TestMesh, address: string): DrivenEndpoint {
  const endpoint = t.endpoint(address);
  const then = (act: () => unknown): DrivenEndpoint => {
    act();
    return driven;
  };
  const driven: DrivenEndpoint = {
    answer: (word, { text = "", delay = "0ms", waitMs } = {}) =>
      then(() => {
        const headers = waitMs === undefined ? {} : { "retry-after": `${waitMs / 1_000}` };
        endpoint.respond({ status: HTTP[word], body: text, delay, headers });
      }),
    ticks: (everyMs, count, isStream = false) =>
      then(() => {
        const headers = { "content-type": isStream ? "text/event-stream" : "text/plain" };
        endpoint.respond(() => ({ headers, body: ticking(t, everyMs, count) }));
      }),
    times: (calls) => then(() => endpoint.times(calls)),
    hang: () => then(() => endpoint.hang()),
    refuse: () => then(() => endpoint.refuse()),
    reset: () => then(() => endpoint.reset()),
    restore: () => then(() => endpoint.restore()),
    get received() {
      return endpoint.requests.map((request) => request.text());
    },
    get headers() {
      return endpoint.requests.map((request) => request.headers);
    },
  };
  return driven;
}

async function* ticking(t: TestMesh, everyMs: number, count: number): AsyncGenerator<string> {
  for (let tick = 0; tick < count; tick++) {
    await pause(t, everyMs);
    yield `${tick}`;
  }
}

const grpcName = (word: Word) => `grpc:${GRPC[word].toLowerCase().replaceAll("_", "-")}`;

function speaking(services: Readonly<Record<string, object>>): Record<string, object> {
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, { protocol: "grpc", ...service }]));
}

/** The same document, whose services all speak gRPC. */
function grpcDocument(reviews?: object, more?: object): object {
  const plain = document(reviews, more) as { readonly services: Readonly<Record<string, object>> };
  return { ...plain, services: speaking(plain.services) };
}

export const grpc: Protocol = {
  name: "grpc",
  condition: grpcName,
  failure: (...words) => ({ grpc: words.map((word) => grpcName(word).slice("grpc:".length)) }),
  outcome: grpcName,
  retryOn: (...words) => ({ on: words.map(grpcName) }),
  mesh: (reviews, more, options) => driven(grpc, { documentOf: grpcDocument, call: grpcCall, at: grpcEndpoint }, [reviews, more], options),
};

function grpcCall(t: TestMesh, given: DrivenCall): Promise<DrivenReply> {
  const { service = "reviews", text = "hello", headers = {}, isStream = false, signal, mesh = {} } = given;
  const client = t.grpc(TextClient, service);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const replyOf = (call: object, error: ServiceError | null, answer: string): DrivenReply => {
    const answered = Object.entries(status).find(([, code]) => code === (error?.code ?? status.OK))?.[0] ?? "";
    const outcome = signal?.aborted ? "cancelled" : (meshError(error)?.code ?? `grpc:${answered.toLowerCase().replaceAll("_", "-")}`);
    return { outcome, text: answer, report: t.report(call) };
  };
  if (isStream) {
    const call: ClientReadableStream<string> = client.serverStream(text, metadata, { mesh });
    signal?.addEventListener("abort", () => call.cancel());
    return streamed(call).then(({ messages, error }) => replyOf(call, error, messages.join("")));
  }
  return new Promise((resolve) => {
    const call = client.unary(text, metadata, { mesh }, (error, answer) => resolve(replyOf(call, error, answer ?? "")));
    signal?.addEventListener("abort", () => call.cancel());
  });
}

function grpcEndpoint(t: TestMesh, address: string): DrivenEndpoint {
  const endpoint = t.grpcEndpoint(address);
  const then = (act: () => unknown): DrivenEndpoint => {
    act();
    return driven;
  };
  const driven: DrivenEndpoint = {
    answer: (word, { text = "", delay = "0ms", waitMs } = {}) =>
      then(() => {
        const trailers = waitMs === undefined ? {} : { "grpc-retry-pushback-ms": `${waitMs}` };
        endpoint.answer({ status: status[GRPC[word]], messages: word === "ok" ? [text] : [], details: text, delay, trailers });
      }),
    ticks: (everyMs, count) =>
      then(() =>
        endpoint.handle(async (call) => {
          await call.all();
          call.sendMetadata();
          for await (const tick of ticking(t, everyMs, count)) await call.send(tick);
          call.end();
        }),
      ),
    times: (calls) => then(() => endpoint.times(calls)),
    hang: () => then(() => endpoint.handle(async (call) => void (await call.all()))),
    refuse: () => then(() => endpoint.refuse()),
    reset: () => then(() => endpoint.handle(async (call) => call.all().then(() => call.break("reset")))),
    restore: () => then(() => endpoint.restore()),
    get received() {
      return endpoint.calls.map(({ received }) => Buffer.concat(received).toString());
    },
    get headers() {
      return endpoint.calls.map(({ headers }) => headers);
    },
  };
  return driven;
}

export const PROTOCOLS: readonly Protocol[] = [http, grpc];
