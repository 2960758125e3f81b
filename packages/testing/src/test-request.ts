import { type CallOptions, discard, type HeaderMap, type Mesh, type MeshResponse, type RequestBody } from "@heddle/core";
import { lowerCaseHeaders } from "./answer.ts";
import { readBody } from "./read-body.ts";
import { type CallObserver, send } from "./test-call.ts";
import { bodyStream } from "./test-fetch.ts";

export interface TestRequestOptions {
  /** Default: `POST` with a body, `GET` without. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: RequestBody;
  /** Instead of `body`: sent as JSON, with its content type. */
  readonly json?: unknown;
  readonly signal?: AbortSignal;
  readonly mesh?: CallOptions;
}

/** What came back; the body is read once. */
export interface TestReply {
  readonly status: number;
  readonly headers: HeaderMap;
  text(): Promise<string>;
  json<T = unknown>(): Promise<T>;
  bytes(): Promise<Uint8Array>;
  stream(): ReadableStream<Uint8Array>;
  /** Gets rid of the body. */
  discard(): void;
  /** Resolves when the body has ended; rejects with what it failed with. */
  readonly trailers: Promise<HeaderMap>;
}

/** `mesh.request` of the real front door: rejects with the MeshError itself. */
export type TestRequest = (url: string | URL, options?: TestRequestOptions) => Promise<TestReply>;

export function testRequest(mesh: Mesh, observe: CallObserver): TestRequest {
  return async (url, options = {}) => {
    const headers = lowerCaseHeaders(options.headers ?? {});
    if (options.json !== undefined) headers["content-type"] ??= "application/json";
    const body = options.json === undefined ? (options.body ?? null) : JSON.stringify(options.json);
    const method = options.method ?? (body === null ? "GET" : "POST");
    const call = { method, url: new URL(url), headers, body, signal: options.signal ?? null, options: options.mesh ?? {} };
    const { response, context } = await send(mesh, call, observe);
    const reply = replyOf(response, mesh);
    mesh.remember(reply, context);
    return reply;
  };
}

/** A response as the caller reads it. */
export function replyOf(response: MeshResponse, mesh: Mesh): TestReply {
  const { status, headers, body } = response;
  const text = async () => (await readBody(body)).toString();
  return {
    status,
    headers,
    text,
    json: async <T>() => JSON.parse(await text()) as T,
    bytes: () => readBody(body),
    stream: () => bodyStream(body),
    discard: () => discard(response, mesh.deadlines),
    get trailers() {
      return new Promise<HeaderMap>((resolve, reject) => {
        body.whenEnd((error) => (error === null ? resolve(body.trailers ?? Object.create(null)) : reject(error)));
      });
    },
  };
}
