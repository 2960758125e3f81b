import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TlsOptions } from "node:tls";
import { type Clock, systemClock } from "@heddle/core";
import { type Answer, checked, completeAnswer, failureAnswer, lowerCaseHeaders, type ReceivedRequest, receivedRequest } from "./answer.ts";
import type { PipeEndpoint } from "./contract/transport-pipe.ts";
import type { ExchangeStage } from "./fake-endpoint.ts";

/** A real HTTP/1.1 server on 127.0.0.1 that does as it is told, for the transport contract over real sockets, in the clear or over TLS. */
export interface LoopbackEndpoint extends PipeEndpoint {
  /** Connections open at the server. */
  connections(): number;
  close(): Promise<void>;
}

type Behaviour = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Time for the other side to see what was written before the connection is reset: a reset overtakes what is still unread. */
const SEEN_MS = 30;

export async function loopbackEndpoint(clock: Clock = systemClock, tls: TlsOptions | null = null): Promise<LoopbackEndpoint> {
  const endpoint = new Loopback(clock, tls);
  await endpoint.listen();
  return endpoint;
}

class Loopback implements LoopbackEndpoint {
  readonly requests: ReceivedRequest[] = [];
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;
  #behaviour: Behaviour = (request, response) => this.#answer(request, response, () => ({ json: {} }));

  constructor(clock: Clock, tls: TlsOptions | null) {
    this.#clock = clock;
    const serve: RequestListener = (request, response) => {
      this.#behaviour(request, response).catch((error: unknown) => request.socket.destroy(error as Error));
    };
    const options: ServerOptions = { keepAliveTimeout: 60_000 };
    this.#server = tls === null ? createServer(options, serve) : createTlsServer({ ...options, ...tls }, serve);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
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
    await this.#behave((request, response) => this.#answer(request, response, answer));
  }

  async reset(after: ExchangeStage): Promise<void> {
    await this.#behave(async (request, response) => {
      await this.#receive(request, response);
      if (after !== "send") {
        await giveHead(response, after === "body" ? "par" : null);
        await this.#wait();
      }
      this.#reset(request.socket);
    });
  }

  async hang(at: "request" | "head" | "body"): Promise<void> {
    await this.#behave(async (request, response) => {
      if (at === "request") return;
      await this.#receive(request, response);
      if (at === "body") await giveHead(response, "par");
    });
  }

  async garbage(): Promise<void> {
    await this.#behave(async (request, response) => {
      await this.#receive(request, response);
      request.socket.end("this is not HTTP\r\n\r\n");
    });
  }

  async pipe(): Promise<void> {
    const take = (answer: string) => (_request: IncomingMessage, socket: Duplex) => {
      // The caller may cut it, as it may any connection.
      socket.on("error", () => undefined);
      socket.write(answer);
      socket.pipe(socket);
    };
    this.#server
      .removeAllListeners("upgrade")
      .on("upgrade", take("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
    this.#server.removeAllListeners("connect").on("connect", take("HTTP/1.1 200 Connected\r\n\r\n"));
    await this.listen();
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
    await this.listen();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<ReceivedRequest> {
    const abort = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) abort.abort(new Error("the caller left"));
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const { host, ...headers } = request.headersDistinct;
    const received = receivedRequest({
      endpoint: this.address,
      method: request.method ?? "",
      authority: host?.[0] ?? "",
      path: request.url ?? "",
      headers: lowerCaseHeaders(
        Object.fromEntries(Object.entries(headers).map(([name, values = []]) => [name, values.length === 1 ? values[0] : values])),
      ),
      body: Buffer.concat(chunks),
      at: this.#clock.now(),
      signal: abort.signal,
    });
    this.requests.push(received);
    return received;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    decide: (request: ReceivedRequest) => Answer | Promise<Answer>,
  ): Promise<void> {
    const received = await this.#receive(request, response);
    let answer: Answer;
    try {
      answer = checked(await decide(received));
    } catch (error) {
      answer = failureAnswer(error);
    }
    const { status, headers, body, trailers } = completeAnswer(answer, received.method);
    response.writeHead(status, answer.trailers ? { ...headers, trailer: Object.keys(answer.trailers).join(", ") } : headers);
    response.flushHeaders();
    for await (const chunk of body) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await drained(response);
    }
    const last = trailers();
    if (last) response.addTrailers(last as Record<string, string>);
    response.end();
  }

  /** Beneath TLS, which has no reset of its own. */
  #reset({ remotePort }: Socket): void {
    for (const socket of this.#sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(SEEN_MS, resolve);
    });
  }
}

function giveHead(response: ServerResponse, part: string | null): Promise<void> {
  response.writeHead(200, { "content-type": "text/plain", "content-length": "1000" });
  response.flushHeaders();
  if (part === null) return Promise.resolve();
  return new Promise((resolve) => {
    response.write(part, () => resolve());
  });
}

/** Waits until more can be written, or never will be. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      response.off("drain", goOn);
      response.off("close", goOn);
      resolve();
    };
    response.on("drain", goOn);
    response.on("close", goOn);
  });
}
