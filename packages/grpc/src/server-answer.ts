import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import {
  ATTEMPT_COUNT_HEADER,
  type Deadlines,
  emptyHeaders,
  GrpcStatus,
  type HeaderMap,
  headerValue,
  type InboundRequestContext,
  type MeshRequest,
  type MeshResponse,
  meshError,
  PushBody,
  readGrpcStatus,
  trailersOnly,
  wasRetriedBelow,
} from "@heddle/core";
import { bindListeners, DRAINING_HEADER } from "@heddle/http";

/** How long a caller may go on sending that has its answer. */
const SENDS_ON_MS = 1_000;

/** What an answer is told of on its way out. */
export interface AnswerFacts {
  readonly inbound: InboundRequestContext;
  readonly deadlines: Deadlines;
  isDraining(): boolean;
  /** Told the status of the call when it is written. */
  onStatus(status: number): void;
}

/**
 * What grpc-js sends, as the stack sees it: status and initial metadata from the head on, and a body that ends with the trailers. The
 * messages are the application's own, and do not pass here.
 */
export class CallAnswer implements MeshResponse {
  // What the application sends does not pass here: there is nothing to pause.
  readonly body: PushBody = new PushBody({ pause() {}, resume() {}, abort: (reason) => this.#breakOff(reason) });
  status = 0;
  headers: HeaderMap = emptyHeaders();
  hasHead = false;
  /** The application was called. */
  wasAsked = false;
  /** Something else was answered in its place: what it still writes goes nowhere. */
  isReplaced = false;
  readonly #stream: ServerHttp2Stream;
  readonly #facts: AnswerFacts;
  readonly #respond: ServerHttp2Stream["respond"];
  readonly #sendTrailers: ServerHttp2Stream["sendTrailers"];
  #resolve: ((answer: MeshResponse) => void) | null = null;

  constructor(stream: ServerHttp2Stream, facts: AnswerFacts) {
    this.#stream = stream;
    this.#facts = facts;
    this.#respond = stream.respond;
    this.#sendTrailers = stream.sendTrailers;
    stream.respond = (headers, options) => {
      // Node takes lists, too; grpc-js gives objects.
      if (!this.isReplaced) this.#head(this.respond((headers ?? {}) as OutgoingHttpHeaders, options), options?.endStream === true);
    };
    stream.sendTrailers = (trailers) => {
      if (!this.isReplaced) this.#end(this.sendTrailers(trailers));
    };
  }

  start(request: MeshRequest, application: () => void): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    this.wasAsked = true;
    bindListeners(this.#stream, () => this.#stream.closed);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      request.cancel.onCancel(reject);
      application();
    });
  }

  /** Writes a head, whoever answers. */
  respond(headers: OutgoingHttpHeaders, options?: Parameters<ServerHttp2Stream["respond"]>[1]): OutgoingHttpHeaders {
    const told = this.#facts.isDraining() ? { ...headers, [DRAINING_HEADER]: "1" } : headers;
    const last = options?.endStream === true ? this.#tellRetried(told) : told;
    this.#respond.call(this.#stream, last, options);
    if (options?.endStream === true) this.#closeSoon();
    return last;
  }

  sendTrailers(trailers: OutgoingHttpHeaders): OutgoingHttpHeaders {
    const last = this.#tellRetried(trailers);
    this.#sendTrailers.call(this.#stream, last);
    this.#closeSoon();
    return last;
  }

  /** From here on the application writes nothing. */
  replace(): void {
    this.isReplaced = true;
  }

  /** The stream has closed. `reason`: why before its answer was complete; null: it was. */
  close(reason: unknown): void {
    if (reason === null) this.body.end(this.body.trailers);
    else this.body.fail(reason);
  }

  /** The stack gave the answer up after its head: the call ends with the status of why, and its handler is told. */
  #breakOff(reason: unknown): void {
    const error = meshError(reason);
    if (this.#stream.closed) return;
    this.replace();
    if (error === undefined) {
      this.#stream.close(constants.NGHTTP2_CANCEL);
      return;
    }
    const { trailers } = trailersOnly(error.grpcStatus, error.code).body;
    this.#stream.once("wantTrailers", () => this.sendTrailers({ ...trailers }));
    this.#stream.end();
  }

  #head(headers: OutgoingHttpHeaders, isLast: boolean): void {
    if (this.hasHead) return;
    this.hasHead = true;
    this.status = Number(headers[":status"] ?? 200);
    this.headers = headerMapOf(headers);
    // Ended before it is given on: so it is known for an answer of trailers only.
    if (isLast) this.#end(headers);
    this.#resolve?.(this);
  }

  #end(trailers: OutgoingHttpHeaders): void {
    const last = headerMapOf(trailers);
    this.body.end(last);
    const status = headerValue(last, "grpc-status");
    if (status !== undefined) this.#facts.onStatus(readGrpcStatus(status));
  }

  /** Who has its answer may have more to send, for as long as it likes. Most end by themselves; others are told to stop (RFC 9113 section 8.1). */
  #closeSoon(): void {
    if (this.#stream.readableEnded) return;
    const { deadlines } = this.#facts;
    const limit = deadlines.add(SENDS_ON_MS, () => this.#stream.close(constants.NGHTTP2_NO_ERROR));
    this.#stream.once("close", () => deadlines.remove(limit));
  }

  /** A failure that calls of the application had retried in vain says so: each hop above would only repeat those retries. */
  #tellRetried(trailers: OutgoingHttpHeaders): OutgoingHttpHeaders {
    const failed = Number(trailers["grpc-status"] ?? GrpcStatus.OK) !== GrpcStatus.OK;
    return failed && wasRetriedBelow(this.#facts.inbound) ? { ...trailers, [ATTEMPT_COUNT_HEADER]: "2" } : trailers;
  }
}

function headerMapOf(headers: OutgoingHttpHeaders): HeaderMap {
  const map = emptyHeaders();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    map[name.toLowerCase()] = typeof value === "object" ? value.map(String) : `${value}`;
  }
  return map;
}
