import {
  copyHeaders,
  emptyHeaders,
  GrpcStatus,
  type HeaderMap,
  type MeshRequest,
  type MeshResponse,
  PushBody,
  TransportFailure,
  type TransportFailureKind,
  trailersOnly,
} from "@heddle/core";

/** One call as an endpoint has it in hand: what came, and everything it may do with it. */
export interface FakeGrpcCall {
  /** The address it came to. */
  readonly endpoint: string;
  readonly authority: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Metadata as on the wire. */
  readonly headers: HeaderMap;
  /** When it came, milliseconds of the clock. */
  readonly at: number;
  /** Messages that were taken so far. */
  readonly received: readonly Uint8Array[];
  /** The next message; null once the client has half-closed. Rejects when the call is over. The client is held back while nobody asks. */
  next(): Promise<Uint8Array | null>;
  /** Takes messages until the client half-closes. */
  all(): Promise<readonly Uint8Array[]>;
  /** Initial metadata. Sent by itself before the first message. */
  sendMetadata(headers?: Readonly<Record<string, string | string[]>>): void;
  /** Resolves when the reader has room for another one, or the call is over. */
  send(message: Uint8Array | string): Promise<void>;
  /** The status; where nothing was sent before it, an answer of trailers only. Default: OK. */
  end(status?: number, details?: string, trailers?: Readonly<Record<string, string | string[]>>): void;
  /** Breaks the exchange, as the network does. */
  break(kind: TransportFailureKind, grpcStatus?: number): void;
  /** With what it was stopped from the other side; undefined while it was not. */
  readonly cancelReason: unknown;
  readonly isOver: boolean;
  /** Resolves when it is over, whoever ended it. */
  readonly over: Promise<void>;
}

/** Both sides of one exchange: the promise of its head for the caller, a {@link FakeGrpcCall} for the endpoint. */
export class FakeGrpcExchange implements FakeGrpcCall {
  readonly head: Promise<MeshResponse>;
  readonly over: Promise<void>;
  readonly endpoint: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: HeaderMap;
  readonly at: number;
  readonly received: Uint8Array[] = [];
  cancelReason: unknown = undefined;
  isOver = false;
  readonly #request: MeshRequest;
  readonly #onOver: (error: unknown) => void;
  readonly #messages: AsyncIterator<Uint8Array | string>;
  #resolve: (response: MeshResponse) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #settle: () => void = () => {};
  #body: PushBody | null = null;
  #isHeld = false;
  #goOn: (() => void)[] = [];

  constructor(request: MeshRequest, endpoint: string, at: number, onOver: (error: unknown) => void) {
    this.#request = request;
    this.#onOver = onOver;
    this.endpoint = endpoint;
    this.at = at;
    this.authority = request.authority;
    this.path = request.path;
    this.headers = copyHeaders(request.headers);
    this.#messages = messagesOf(request);
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
    request.cancel.onCancel(this.#cancelled);
  }

  async next(): Promise<Uint8Array | null> {
    if (this.isOver) throw new Error("the call is over");
    const step = await this.#messages.next().catch((error: unknown) => {
      // What the client's own body throws is what its call ends with.
      this.fail(error);
      throw error;
    });
    if (step.done) return null;
    const message = typeof step.value === "string" ? Buffer.from(step.value) : step.value;
    this.received.push(message);
    return message;
  }

  async all(): Promise<readonly Uint8Array[]> {
    const all: Uint8Array[] = [];
    for (let message = await this.next(); message !== null; message = await this.next()) all.push(message);
    return all;
  }

  sendMetadata(headers: Readonly<Record<string, string | string[]>> = {}): void {
    if (this.isOver || this.#body) return;
    this.#body = new PushBody({
      pause: () => {
        this.#isHeld = true;
      },
      resume: () => this.#resume(),
      abort: this.#cancelled,
    });
    this.#resolve({ status: 200, headers: lowerCase(headers), body: this.#body });
  }

  send(message: Uint8Array | string): Promise<void> {
    this.sendMetadata();
    if (!this.isOver) this.#body?.push(typeof message === "string" ? Buffer.from(message) : message);
    if (this.isOver || !this.#isHeld) return Promise.resolve();
    return new Promise((resolve) => this.#goOn.push(resolve));
  }

  end(status: number = GrpcStatus.OK, details = "", trailers: Readonly<Record<string, string | string[]>> = {}): void {
    if (this.isOver) return;
    const answer = trailersOnly(status, details, lowerCase(trailers));
    if (this.#body) this.#body.end(answer.body.trailers);
    else this.#resolve({ ...answer, headers: emptyHeaders() });
    this.#finish(null);
  }

  break(kind: TransportFailureKind, grpcStatus?: number): void {
    const options = grpcStatus === undefined ? undefined : { grpcStatus };
    this.fail(new TransportFailure(kind, `${this.endpoint}: the exchange was broken (${kind})`, options));
  }

  fail(error: unknown): void {
    if (this.isOver) return;
    if (this.#body) this.#body.fail(error);
    else this.#reject(error);
    this.#finish(error);
  }

  readonly #cancelled = (reason: unknown): void => {
    if (this.isOver) return;
    this.cancelReason = reason;
    this.fail(reason);
  };

  #finish(error: unknown): void {
    this.isOver = true;
    this.#request.cancel.offCancel(this.#cancelled);
    // What a source throws that nobody reads any more interests nobody.
    this.#messages.return?.()?.catch(() => undefined);
    this.#resume();
    this.#settle();
    this.#onOver(error);
  }

  #resume(): void {
    this.#isHeld = false;
    const goOn = this.#goOn;
    this.#goOn = [];
    for (const resolve of goOn) resolve();
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

async function* one(message: Uint8Array | string): AsyncGenerator<Uint8Array | string> {
  yield message;
}

function messagesOf({ body }: MeshRequest): AsyncIterator<Uint8Array | string> {
  if (body === null) return none();
  return typeof body === "string" || body instanceof Uint8Array ? one(body) : body[Symbol.asyncIterator]();
}

function lowerCase(headers: Readonly<Record<string, string | string[]>>): HeaderMap {
  const map = emptyHeaders();
  for (const [name, value] of Object.entries(headers)) map[name.toLowerCase()] = value;
  return map;
}
