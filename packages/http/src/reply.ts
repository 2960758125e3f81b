import { CONTEXT, type Deadlines, discard, type HeaderMap, type MeshResponse, type RequestContext } from "@heddle/core";
import { readBytes, readJson, readText, readTrailers } from "./read-body.ts";
import { streamBody } from "./stream-body.ts";

/**
 * What a service answered. The body can be read once, in one of the ways below, or not at all: up to 256 KiB wait without holding
 * anything up, and a longer one that nobody reads is cut after 30 s. `await using` gives up what was not read.
 */
export class Reply implements AsyncDisposable {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: HeaderMap;
  readonly #response: MeshResponse;
  readonly #context: RequestContext;
  readonly #deadlines: Deadlines;

  static {
    // For `mesh.report`: on the prototype it costs nothing per reply and shows nowhere.
    Object.defineProperty(Reply.prototype, CONTEXT, {
      get(this: Reply): RequestContext {
        return this.#context;
      },
    });
  }

  constructor(response: MeshResponse, context: RequestContext, deadlines: Deadlines) {
    this.status = response.status;
    this.headers = response.headers;
    this.#response = response;
    this.#context = context;
    this.#deadlines = deadlines;
  }

  /** The status is between 200 and 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  bytes(): Promise<Uint8Array> {
    return readBytes(this.#response.body);
  }

  /** UTF-8, without a byte order mark. */
  text(): Promise<string> {
    return readText(this.#response.body);
  }

  /** Rejects with a SyntaxError if the body is not JSON. The type is the caller's word. */
  json<T = unknown>(): Promise<T> {
    return readJson<T>(this.#response.body);
  }

  /** A web stream with backpressure; made only if asked for. */
  stream(): ReadableStream<Uint8Array> {
    return streamBody(this.#response.body);
  }

  /** Resolves once the body has ended, whether or not it is read. */
  get trailers(): Promise<HeaderMap> {
    return readTrailers(this.#response.body);
  }

  /** Not wanted: the connection stays usable if the rest is short (64 KiB) and comes within 1 s. Resolves when that is decided; never rejects. */
  discard(): Promise<void> {
    const { body } = this.#response;
    return new Promise((resolve) => {
      body.whenEnd(() => resolve());
      discard(this.#response, this.#deadlines);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discard();
  }
}
