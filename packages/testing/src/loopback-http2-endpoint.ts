import { once } from "node:events";
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { type Clock, type HeaderMap, systemClock } from "@heddle/core";
import { type Answer, checked, completeAnswer, failureAnswer, lowerCaseHeaders, type ReceivedRequest, receivedRequest } from "./answer.ts";
import type { ContractEndpoint } from "./contract/transport-harness.ts";
import type { ExchangeStage } from "./fake-endpoint.ts";

/** A real HTTP/2 server on 127.0.0.1 that does as it is told: with prior knowledge, or over TLS with ALPN. */
export interface LoopbackHttp2Endpoint extends ContractEndpoint {
  /** Connections open at the server. */
  connections(): number;
  admit(streams: number): Promise<void>;
  close(): Promise<void>;
}

type Behaviour = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => Promise<void>;

/** Time for the other side to see what was written before the connection is reset: a reset overtakes what is still unread. */
const SEEN_MS = 30;

export async function loopbackHttp2Endpoint(clock: Clock = systemClock, tls: TlsOptions | null = null): Promise<LoopbackHttp2Endpoint> {
  const endpoint = new LoopbackHttp2(clock, tls, PLAIN);
  await endpoint.listen();
  return endpoint;
}

/** What is spoken over HTTP/2: how bodies, heads and trailers of a test stand on the wire. */
export interface Speech {
  /** The body of a request, of all that came. */
  received(body: Buffer): Uint8Array;
  chunk(bytes: Uint8Array | string): Uint8Array | string;
  head(headers: HeaderMap): HeaderMap;
  /** null: none, and nothing is said of them. */
  trailers(given: HeaderMap | null): HeaderMap | null;
  /** The head is all there is of the answer. */
  isWhole(head: HeaderMap): boolean;
  /** Of an answer that breaks off. */
  readonly brokenHead: OutgoingHttpHeaders;
}

const PLAIN: Speech = {
  received: (body) => body,
  chunk: (bytes) => bytes,
  head: (headers) => headers,
  trailers: (given) => given,
  isWhole: () => false,
  brokenHead: { "content-type": "text/plain", "content-length": "1000" },
};

/** The endpoint of {@link loopbackHttp2Endpoint}, whatever is spoken over HTTP/2. */
export class LoopbackHttp2 implements LoopbackHttp2Endpoint {
  readonly requests: ReceivedRequest[] = [];
  readonly #clock: Clock;
  readonly #speech: Speech;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #server: Http2Server;
  #speaksNonsense = false;
  #port = 0;
  #mostStreams = 100;
  #behaviour: Behaviour = (stream, headers) => this.#answer(stream, headers, () => ({ json: {} }));

  constructor(clock: Clock, tls: TlsOptions | null, speech: Speech) {
    this.#clock = clock;
    this.#speech = speech;
    this.#server = tls === null ? createServer() : (createSecureServer({ ...tls, allowHTTP1: false }) as unknown as Http2Server);
    const event = tls === null ? "connection" : "secureConnection";
    const [speak] = this.#server.listeners(event) as ((socket: Socket) => void)[];
    this.#server.removeAllListeners(event).on(event, (socket: Socket) => {
      if (this.#speaksNonsense) answerNonsense(socket);
      else speak?.call(this.#server, socket);
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => undefined);
      session.on("close", () => this.#sessions.delete(session));
      session.settings({ maxConcurrentStreams: this.#mostStreams });
    });
    this.#server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on("error", () => undefined);
      this.#behaviour(stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async answer(answer: (request: ReceivedRequest) => Answer | Promise<Answer>): Promise<void> {
    await this.#behave((stream, headers) => this.#answer(stream, headers, answer));
  }

  async reset(after: ExchangeStage): Promise<void> {
    await this.#behave(async (stream, headers) => {
      await this.#receive(stream, headers);
      if (after !== "send") {
        await giveHead(stream, this.#speech, after === "body" ? "par" : null);
        await this.#wait();
      }
      for (const socket of this.#sockets) socket.resetAndDestroy();
    });
  }

  async hang(at: "request" | "head" | "body"): Promise<void> {
    await this.#behave(async (stream, headers) => {
      if (at === "request") return;
      await this.#receive(stream, headers);
      if (at === "body") await giveHead(stream, this.#speech, "par");
    });
  }

  async garbage(): Promise<void> {
    await this.listen();
    this.#speaksNonsense = true;
  }

  async admit(streams: number): Promise<void> {
    this.#mostStreams = streams;
    for (const session of this.#sessions) session.settings({ maxConcurrentStreams: streams });
  }

  /** The port stays ours to listen on again: nothing else on this machine is given it within the test. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = [this.#server, ...this.#sockets].map((closing) => once(closing, "close"));
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  async #behave(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    this.#speaksNonsense = false;
    await this.listen();
  }

  async #receive(stream: ServerHttp2Stream, all: IncomingHttpHeaders): Promise<ReceivedRequest> {
    const abort = new AbortController();
    stream.on("close", () => {
      if (!stream.writableFinished || stream.rstCode !== constants.NGHTTP2_NO_ERROR) abort.abort(new Error("the caller left"));
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk as Uint8Array);
    const { ":method": method = "", ":authority": authority = "", ":path": path = "", ":scheme": _scheme, ...headers } = all;
    const received = receivedRequest({
      endpoint: this.address,
      method,
      authority,
      path,
      headers: lowerCaseHeaders(headers as Record<string, string | string[]>),
      body: this.#speech.received(Buffer.concat(chunks)),
      at: this.#clock.now(),
      signal: abort.signal,
    });
    this.requests.push(received);
    return received;
  }

  async #answer(
    stream: ServerHttp2Stream,
    all: IncomingHttpHeaders,
    decide: (request: ReceivedRequest) => Answer | Promise<Answer>,
  ): Promise<void> {
    const received = await this.#receive(stream, all);
    let answer: Answer;
    try {
      answer = checked(await decide(received));
    } catch (error) {
      answer = failureAnswer(error);
    }
    if (stream.destroyed) return;
    const { status, headers, body, trailers } = completeAnswer(answer, received.method);
    const speech = this.#speech;
    const head = { ":status": status, ...speech.head(headers) };
    if (speech.isWhole(headers)) {
      stream.respond(head, { endStream: true });
      return;
    }
    let last: HeaderMap | null = null;
    const waitForTrailers = answer.trailers !== undefined || speech.trailers(null) !== null;
    if (waitForTrailers) stream.on("wantTrailers", () => stream.sendTrailers(last ?? {}));
    stream.respond(head, { waitForTrailers });
    for await (const chunk of body) {
      if (stream.destroyed) return;
      if (!stream.write(speech.chunk(chunk))) await drained(stream);
    }
    last = speech.trailers(trailers());
    stream.end();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(SEEN_MS, resolve);
    });
  }
}

const PREFACE_BYTES = 24;
const FRAME_HEAD_BYTES = 9;
const HEADERS = 1;
/** Nothing is set. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Of a stream, where only those of the connection may be. Node 22 is silent about frames that are too long, and about bytes that are none. */
const NONSENSE = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 5]);

/** Begins as HTTP/2 does, and answers the first request with a frame that may not be. */
function answerNonsense(socket: Socket): void {
  let received = Buffer.alloc(0);
  let at = PREFACE_BYTES;
  socket.write(SETTINGS);
  socket.on("error", () => undefined);
  socket.on("data", (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    while (received.length >= at + FRAME_HEAD_BYTES) {
      if (received[at + 3] === HEADERS) socket.write(NONSENSE);
      at += FRAME_HEAD_BYTES + received.readUIntBE(at, 3);
    }
  });
}

function giveHead(stream: ServerHttp2Stream, speech: Speech, part: string | null): Promise<void> {
  stream.respond({ ":status": 200, ...speech.brokenHead });
  if (part === null) return Promise.resolve();
  return new Promise((resolve) => {
    stream.write(speech.chunk(part), () => resolve());
  });
}

/** Waits until more can be written, or never will be. */
function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      stream.off("drain", goOn);
      stream.off("close", goOn);
      resolve();
    };
    stream.on("drain", goOn);
    stream.on("close", goOn);
  });
}
