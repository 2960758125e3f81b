import type { Socket } from "node:net";
import type { ChannelOptions } from "@grpc/grpc-js";
import { type ChannelSettings, type Connectivity, type MeshRequest, type MeshResponse, systemClock, TransportFailure } from "@heddle/core";
import { type Dial, failureOfHandshake, type OpenSockets, sessionFailure, startConnectTimer, transportFailure } from "@heddle/http";
import { GrpcConnection } from "./grpc-connection.ts";
import { type ExchangeOwner, GrpcExchange } from "./grpc-exchange.ts";
import { type ConnectionRequest, GrpcJsChannel } from "./grpc-js-channel.ts";
import type { GrpcJsTransport } from "./grpc-js-transport.ts";

/** A server that closes each connection before it takes a call is not asked more often by one call. */
const MOST_CONNECTIONS_LOST = 3;
/** After a second failure in a row, calls fail for so long without another attempt; twice as long after each. */
const FIRST_PAUSE_MS = 25;
const LAST_PAUSE_MS = 1_000;

interface Failed {
  readonly failure: unknown;
  readonly until: number;
}

/** One grpc-js channel: the connection that takes calls now, and the calls for which it has no stream, or which wait until it is there. */
export class GrpcLink implements ExchangeOwner {
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open: OpenSockets;
  readonly #options: ChannelOptions;
  #channel: GrpcJsChannel | null = null;
  /** In the order they came. */
  readonly #waiting = new Set<GrpcExchange>();
  readonly #running = new Set<GrpcExchange>();
  #connection: GrpcConnection | null = null;
  /** grpc-js asked for a connection, and nobody needed one. */
  #asked: ConnectionRequest | null = null;
  #isConnecting = false;
  #failuresInARow = 0;
  #failed: Failed | null = null;
  #isClosed = false;
  #whenEmpty: (() => void)[] = [];

  constructor(settings: ChannelSettings, dial: Dial, open: OpenSockets, options: ChannelOptions) {
    this.#settings = settings;
    this.#dial = dial;
    this.#open = open;
    this.#options = options;
  }

  get isUnused(): boolean {
    return this.#connection === null && !this.#isConnecting && this.#isEmpty;
  }

  /** A failure is over once a call has a connection again. */
  get connectivity(): Connectivity {
    if (this.#connection !== null) return "ready";
    if (this.#failed !== null) return "transient-failure";
    return this.#isConnecting ? "connecting" : "idle";
  }

  take(request: MeshRequest): Promise<MeshResponse> {
    return new Promise((resolve, reject) => {
      const exchange = new GrpcExchange(request, this, { resolve, reject });
      this.#waiting.add(exchange);
      const failed = this.#failed;
      if (failed !== null && !exchange.waitsForReady && systemClock.now() < failed.until) exchange.refuse(again(failed.failure));
      else this.#startWaiting();
    });
  }

  /** What waits is still sent; whoever closes gives it nothing new. */
  async close(): Promise<void> {
    if (!this.#isEmpty) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    this.#end();
  }

  destroy(reason: Error): void {
    for (const exchange of [...this.#waiting]) exchange.refuse(transportFailure(reason, false, false));
    for (const exchange of [...this.#running]) exchange.refuse(transportFailure(reason, true, false));
    this.#end();
  }

  isOver(exchange: GrpcExchange): void {
    if (this.#running.delete(exchange)) (exchange.connection as GrpcConnection).callEnded(exchange.isComplete);
    else this.#waiting.delete(exchange);
    if (this.#waiting.size > 0) this.#startWaiting();
    else if (this.#isEmpty) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  wasGivenUp(exchange: GrpcExchange): void {
    (exchange.connection as GrpcConnection | null)?.probe(this.#settings.connectTimeoutMs);
  }

  get #isEmpty(): boolean {
    return this.#waiting.size + this.#running.size === 0;
  }

  #startWaiting(): void {
    const connection = this.#connection;
    if (connection === null) {
      this.#connect();
      return;
    }
    for (const exchange of this.#waiting) {
      if (connection.calls >= connection.mostCalls) break;
      if (exchange.prepareFor(connection, this.#options["grpc.max_send_message_length"] ?? -1)) this.#start(exchange, connection);
      if (this.#connection !== connection) break;
    }
  }

  #start(exchange: GrpcExchange, connection: GrpcConnection): void {
    this.#waiting.delete(exchange);
    this.#running.add(exchange);
    connection.calls++;
    try {
      (connection.transport as GrpcJsTransport).start(exchange);
    } catch (error) {
      this.#notStarted(exchange, connection, error);
    }
  }

  #notStarted(exchange: GrpcExchange, connection: GrpcConnection, error: unknown): void {
    if (exchange.isOver) return;
    if (!isOfTheSession(error)) {
      // What node:http2 refuses to write is the caller's mistake.
      exchange.refuse(error);
      return;
    }
    this.#running.delete(exchange);
    connection.calls--;
    this.#waiting.add(exchange);
    connection.retire();
  }

  #connect(): void {
    if (this.#isConnecting || this.#isClosed || this.#waiting.size === 0) return;
    if (this.#asked) {
      this.#answer(this.#asked);
      return;
    }
    this.#channel ??= new GrpcJsChannel(this.#settings.address, this.#options, (request) => this.#wants(request));
    this.#channel.connect();
  }

  /** grpc-js goes on asking after a failure; nobody is dialled whom no call waits for. */
  #wants(request: ConnectionRequest): void {
    this.#asked = request;
    if (!this.#isConnecting && this.#connection === null && this.#waiting.size > 0) this.#answer(request);
  }

  #answer(request: ConnectionRequest): void {
    this.#asked = null;
    this.#isConnecting = true;
    const startedAt = systemClock.now();
    const [first] = [...this.#waiting];
    const dialled = (error: Error | null, socket: Socket | null) => {
      if (socket !== null) this.#speak(request, socket, startedAt);
      else request.fail(String(error?.message), () => this.#isNotConnected(transportFailure(error, false, false)));
    };
    this.#open.dial(this.#dial, dialled, first?.authority ?? "");
  }

  #speak(request: ConnectionRequest, socket: Socket, startedAt: number): void {
    const { address, connectTimeoutMs, tls } = this.#settings;
    const connection: GrpcConnection = new GrpcConnection(socket, this.#open.add(socket), () => {
      if (this.#connection === connection) this.#startWaiting();
    });
    if (this.#isClosed) socket.destroy();
    const leftMs = Math.max(1, connectTimeoutMs - (systemClock.now() - startedAt));
    const words = `no HTTP/2 settings from ${address} within ${connectTimeoutMs} ms: it took the connection and stayed silent; does it speak gRPC?`;
    const stopTimer = startConnectTimer(leftMs, () => socket.destroy(new Error(words)));
    request.speak(socket, tls !== null, {
      speaks: (session) => connection.speaks(session),
      isOpen: (transport) => {
        stopTimer();
        this.#isOpen(connection, transport);
      },
      failed: (error) => {
        stopTimer();
        this.#isNotConnected(error ?? openFailure(connection));
      },
      left: () => this.#left(connection),
    });
  }

  #isOpen(connection: GrpcConnection, transport: GrpcJsTransport): void {
    this.#isConnecting = false;
    this.#failuresInARow = 0;
    this.#failed = null;
    if (connection.hasLeft) {
      this.#countLoss();
      return;
    }
    this.#connection = connection;
    connection.isOpen(transport);
    this.#startWaiting();
  }

  #left(connection: GrpcConnection): void {
    connection.hasLeft = true;
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#countLoss();
  }

  #countLoss(): void {
    for (const exchange of [...this.#waiting]) {
      if (++exchange.connectionsLost < MOST_CONNECTIONS_LOST) continue;
      const words = `${MOST_CONNECTIONS_LOST} connections were closed by the server before it took the call`;
      exchange.refuse(new TransportFailure("connect-failure", words));
    }
    // grpc-js hears of it after this.
    queueMicrotask(() => this.#startWaiting());
  }

  #isNotConnected(failure: unknown): void {
    this.#isConnecting = false;
    const pauses = ++this.#failuresInARow - 2;
    const pauseMs = pauses < 0 ? 0 : Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses);
    this.#failed = { failure, until: systemClock.now() + pauseMs };
    for (const exchange of [...this.#waiting]) if (!exchange.waitsForReady) exchange.refuse(failure);
  }

  #end(): void {
    this.#isClosed = true;
    this.#channel?.close();
    this.#channel = null;
    this.#asked = null;
  }
}

function openFailure({ brokenBy, socket }: GrpcConnection): unknown {
  const error = brokenBy ?? socket.errored ?? new Error("the server closed the connection before it sent HTTP/2 settings");
  const refused = failureOfHandshake(socket, error, false);
  if (refused) return refused;
  const failure = sessionFailure(error);
  if (!(failure instanceof TransportFailure) || failure.kind === "protocol-error") return failure;
  return new TransportFailure("connect-failure", failure.message, { cause: failure.cause });
}

/** Not the very error: each call has a trace, and perhaps a report, of its own. */
function again(failure: unknown): unknown {
  if (!(failure instanceof TransportFailure)) return failure;
  return new TransportFailure(failure.kind, failure.message, { cause: failure });
}

/** It goes away, or has no numbers left for streams; a call that was not taken is as good as before. */
function isOfTheSession(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "ERR_HTTP2_GOAWAY_SESSION" || code === "ERR_HTTP2_INVALID_SESSION" || code === "ERR_HTTP2_OUT_OF_STREAMS";
}
