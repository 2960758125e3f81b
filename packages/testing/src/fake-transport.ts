import {
  type Channel,
  type ChannelSettings,
  type Clock,
  durationMs,
  type MeshRequest,
  type MeshResponse,
  type Random,
  seededRandom,
  sleep,
  type Transport,
  TransportFailure,
} from "@heddle/core";
import {
  type Answer,
  type AnswerFunction,
  checked,
  completeAnswer,
  failureAnswer,
  lowerCaseHeaders,
  type ReceivedRequest,
  receivedRequest,
} from "./answer.ts";
import { type FakeConnection, FakeConnections, type FakeSurroundings } from "./fake-connections.ts";
import { type Behaviour, type FakeEndpoint, ScriptedEndpoint } from "./fake-endpoint.ts";
import { FakeExchange, forEach } from "./fake-exchange.ts";

/** A {@link Transport} without a network: every endpoint does what its handle was told. The same script gives the same run. */
export interface FakeTransport extends Transport {
  /** The handle of an address, whether or not a channel to it is open. */
  endpoint(address: string): FakeEndpoint;
}

export interface FakeTransportOptions {
  readonly clock: Clock;
  /** Draws latencies from their range. Default: seeded with 1. */
  readonly random?: Random;
  /** Default true: with TLS, this process must have what a handshake needs. */
  readonly asksIdentity?: boolean;
}

export function fakeTransport(options: FakeTransportOptions): FakeTransport {
  const { clock, random = seededRandom(1), asksIdentity = true } = options;
  const endpoints = new Map<string, ScriptedEndpoint>();
  const endpoint = (address: string): ScriptedEndpoint => {
    let known = endpoints.get(address);
    if (!known) {
      known = new ScriptedEndpoint(address, random, () => clock.wallTime());
      endpoints.set(address, known);
    }
    return known;
  };
  return { endpoint, open: (settings) => new FakeChannel(settings, endpoint(settings.address), { clock, asksIdentity }) };
}

class FakeChannel implements Channel {
  readonly #endpoint: ScriptedEndpoint;
  readonly #clock: Clock;
  readonly #connections: FakeConnections;
  readonly #exchanges = new Set<FakeExchange>();
  #closed: Promise<void> | null = null;
  #whenIdle: (() => void) | null = null;

  constructor(settings: ChannelSettings, endpoint: ScriptedEndpoint, surroundings: FakeSurroundings) {
    this.#endpoint = endpoint;
    this.#clock = surroundings.clock;
    this.#connections = new FakeConnections(settings, endpoint, surroundings);
  }

  readonly send = async (request: MeshRequest): Promise<MeshResponse> => {
    if (request.cancel.isCancelled) throw request.cancel.reason;
    if (this.#closed) throw this.#connections.failure("the channel is closed");
    let connection: FakeConnection | null = null;
    const exchange: FakeExchange = new FakeExchange(request, (isComplete) => {
      this.#exchanges.delete(exchange);
      if (connection) this.#connections.release(connection, isComplete);
      this.#idle();
    });
    this.#exchanges.add(exchange);
    const run = async () => {
      const place = await this.#connections.place(exchange.stop);
      if (exchange.stop.isCancelled) {
        this.#connections.release(place, false);
        return;
      }
      connection = place;
      await this.#exchange(exchange, request, place);
    };
    run().catch(exchange.break);
    return exchange.head;
  };

  connections(): number {
    return this.#connections.open;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#whenIdle = resolve;
      this.#idle();
    });
    return this.#closed;
  }

  destroy(reason: Error): void {
    void this.close();
    for (const exchange of [...this.#exchanges]) {
      exchange.break(
        new TransportFailure("reset", `${this.#endpoint.address}: the connection was cut: ${reason.message}`, { cause: reason }),
      );
    }
  }

  #idle(): void {
    if (!this.#whenIdle) return;
    this.#connections.dropIdle();
    if (this.#exchanges.size === 0) this.#whenIdle();
  }

  async #exchange(exchange: FakeExchange, request: MeshRequest, connection: FakeConnection): Promise<void> {
    const behaviour = this.#endpoint.next();
    if (behaviour.kind === "refuse") {
      this.#connections.dropIdle();
      throw this.#connections.failure("connection refused");
    }
    await this.#connections.connect(connection, request.authority, behaviour.kind === "hang" && behaviour.at === "connect", exchange.stop);
    if (request.attempt) {
      request.attempt.wasSent = true;
      request.attempt.connection = connection.number;
      request.attempt.reusedConnection = connection.exchanges > 0;
    }
    if (behaviour.kind === "hang" && behaviour.at === "request") return;
    const received = await this.#receive(exchange, request);
    if (received) await this.#behave(exchange, received, behaviour);
  }

  /** Reads the request as a server does; null if it ended on the way. */
  async #receive(exchange: FakeExchange, request: MeshRequest): Promise<ReceivedRequest | null> {
    const body = await readBody(exchange, request);
    if (exchange.stop.isCancelled) return null;
    const received = receivedRequest({
      endpoint: this.#endpoint.address,
      method: request.method,
      authority: request.authority,
      path: request.path,
      headers: lowerCaseHeaders(request.headers),
      body,
      at: this.#clock.now(),
      signal: exchange.signal,
    });
    this.#endpoint.requests.push(received);
    return received;
  }

  async #behave(exchange: FakeExchange, received: ReceivedRequest, behaviour: Behaviour): Promise<void> {
    if (behaviour.kind === "refuse-stream") throw this.#failure("refused-stream", "the stream was refused");
    if (behaviour.kind === "hang" && behaviour.at === "head") return;
    await this.#wait(exchange, this.#endpoint.nextLatencyMs());
    if (behaviour.kind === "answer") {
      await this.#answer(exchange, received, behaviour.answer);
      return;
    }
    if (behaviour.kind === "garbage") throw this.#failure("protocol-error", "the answer is not HTTP");
    const reset = this.#failure("reset", "the connection was reset");
    if (behaviour.kind === "reset" && behaviour.after === "send") throw reset;
    const body = exchange.giveHead(200, lowerCaseHeaders({ "content-type": "application/json", "content-length": "2" }));
    if (behaviour.kind === "hang" || (behaviour.kind === "reset" && behaviour.after === "body")) body.push(Buffer.from("{"));
    if (behaviour.kind === "reset") throw reset;
  }

  async #answer(exchange: FakeExchange, received: ReceivedRequest, wanted: Answer | AnswerFunction): Promise<void> {
    const answer = typeof wanted === "function" ? await this.#ask(wanted, received) : wanted;
    await this.#wait(exchange, durationMs(answer.delay ?? 0, "delay"));
    if (exchange.stop.isCancelled) return;
    try {
      await exchange.giveBody(completeAnswer(answer, received.method));
    } catch (cause) {
      throw this.#failure("reset", "the connection was reset within the body", cause);
    }
  }

  async #ask(answer: AnswerFunction, received: ReceivedRequest): Promise<Answer> {
    try {
      return checked(await answer(received));
    } catch (error) {
      // light-my-request's word for an application that destroyed its response.
      if ((error as { code?: unknown } | null)?.code === "LIGHT_ECONNRESET")
        throw this.#failure("reset", "the connection was reset", error);
      return failureAnswer(error);
    }
  }

  async #wait(exchange: FakeExchange, delayMs: number): Promise<void> {
    if (delayMs > 0) await sleep(this.#clock, delayMs, exchange.stop);
  }

  #failure(kind: TransportFailure["kind"], what: string, cause?: unknown): TransportFailure {
    return new TransportFailure(kind, `${this.#endpoint.address}: ${what}`, { cause });
  }
}

async function readBody(exchange: FakeExchange, request: MeshRequest): Promise<Uint8Array> {
  const { body } = request;
  if (body === null) return new Uint8Array(0);
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  await forEach(body, exchange.stop, (chunk) => {
    chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  });
  return Buffer.concat(chunks);
}
