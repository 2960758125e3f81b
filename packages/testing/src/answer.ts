import { checkKeys, type Duration, type HeaderMap } from "@heddle/core";

/** What an endpoint answers. */
export interface Answer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A stream is read as fast as the caller reads. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array | string>;
  /** Instead of `body`: sent as JSON, with its content type. */
  readonly json?: unknown;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Time until the head, on top of the endpoint's latency. Default 0. */
  readonly delay?: Duration;
}

/** Decides the answer from the request. What it throws is answered as 500 with the error's text, as servers do. */
export type AnswerFunction = (request: ReceivedRequest) => Answer | Promise<Answer>;

/** A request as an endpoint got it. */
export interface ReceivedRequest {
  /** The address it came to. */
  readonly endpoint: string;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  /** Without `host`. */
  readonly headers: HeaderMap;
  readonly body: Uint8Array;
  /** When it had arrived, milliseconds of the clock. */
  readonly at: number;
  /** Aborts when the caller gives up before the answer is complete. */
  readonly signal: AbortSignal;
  text(): string;
  json(): unknown;
}

/** An answer with everything filled in. */
export interface CompleteAnswer {
  readonly status: number;
  readonly headers: HeaderMap;
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array | string>;
  /** Known when the body has ended. */
  readonly trailers: () => HeaderMap | null;
}

const SLICE_BYTES = 64 * 1024;

export function receivedRequest(parts: Omit<ReceivedRequest, "text" | "json">): ReceivedRequest {
  const text = () => Buffer.from(parts.body).toString();
  return { ...parts, text, json: () => JSON.parse(text()) };
}

const ANSWER_KEYS: readonly (keyof Answer)[] = ["status", "headers", "body", "json", "trailers", "delay"];

/** Throws TypeError for a key that no answer has: what is misspelt would be answered 200. */
export function checked(answer: Answer): Answer {
  checkKeys(answer, ANSWER_KEYS, "respond");
  return answer;
}

/** A bodiless answer where HTTP demands one: to HEAD, and with 204 and 304. */
export function completeAnswer(answer: Answer, method: string): CompleteAnswer {
  const status = answer.status ?? 200;
  const headers = lowerCaseHeaders(answer.headers ?? {});
  if (answer.json !== undefined) headers["content-type"] ??= "application/json";
  const isBodiless = method === "HEAD" || status === 204 || status === 304;
  const content = answer.json === undefined ? (answer.body ?? "") : JSON.stringify(answer.json);
  return {
    status,
    headers,
    body: isBodiless ? [] : chunksOf(content),
    trailers: () => (answer.trailers && Object.keys(answer.trailers).length > 0 ? lowerCaseHeaders(answer.trailers) : null),
  };
}

/** What an answer function's failure looks like from outside. */
export function failureAnswer(error: unknown): Answer {
  return {
    status: 500,
    headers: { "content-type": "text/plain" },
    body: `the endpoint's handler failed: ${error instanceof Error ? error.stack : error}`,
  };
}

export function lowerCaseHeaders(headers: Readonly<Record<string, string | readonly string[] | undefined>>): HeaderMap {
  const map = Object.create(null) as HeaderMap;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map[name.toLowerCase()] = typeof value === "string" ? value : [...value];
  }
  return map;
}

function chunksOf(content: string | Uint8Array | AsyncIterable<Uint8Array | string>): CompleteAnswer["body"] {
  if (typeof content === "string") return slices(Buffer.from(content));
  return content instanceof Uint8Array ? slices(content) : content;
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) yield bytes.subarray(start, start + SLICE_BYTES);
}
