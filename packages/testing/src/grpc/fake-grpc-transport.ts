import {
  type Channel,
  type ClientTls,
  type Clock,
  GrpcStatus,
  MeshError,
  type MeshRequest,
  type MeshResponse,
  requestName,
  type Transport,
  TransportFailure,
} from "@heddle/core";
import type { FakeTransportOptions } from "../fake-transport.ts";
import { type FakeGrpcEndpoint, ScriptedGrpcEndpoint } from "./fake-grpc-endpoint.ts";
import { FakeGrpcExchange } from "./fake-grpc-exchange.ts";

/** A transport for gRPC without a network: every endpoint does what its handle was told. */
export interface FakeGrpcTransport extends Transport {
  /** The handle of an address, whether or not a channel to it is open. */
  endpoint(address: string): FakeGrpcEndpoint;
  /** Exchanges that are neither complete nor broken. 0 after everything was closed, or something leaks. */
  readonly inFlight: number;
}

export function fakeGrpcTransport({ clock, asksIdentity = true }: Omit<FakeTransportOptions, "random">): FakeGrpcTransport {
  const endpoints = new Map<string, ScriptedGrpcEndpoint>();
  const exchanges = new Set<FakeGrpcExchange>();
  const endpoint = (address: string): ScriptedGrpcEndpoint => {
    const known = endpoints.get(address) ?? new ScriptedGrpcEndpoint(address, (ms) => sleep(clock, ms));
    endpoints.set(address, known);
    return known;
  };
  return {
    endpoint,
    open: ({ address, tls }) => new FakeGrpcChannel(endpoint(address), clock, asksIdentity ? tls : null, exchanges),
    get inFlight() {
      return exchanges.size;
    },
  };
}

/** One connection at a time, over which all exchanges go; what its endpoint admits no stream for waits in line. */
class FakeGrpcChannel implements Channel {
  readonly #endpoint: ScriptedGrpcEndpoint;
  readonly #clock: Clock;
  /** Asked, for each connection, for what a handshake needs; null: nothing. */
  readonly #tls: ClientTls | null;
  readonly #all: Set<FakeGrpcExchange>;
  readonly #running = new Set<FakeGrpcExchange>();
  #waiting: { readonly exchange: FakeGrpcExchange; readonly request: MeshRequest }[] = [];
  /** 0: none. */
  #connection = 0;
  #completed = 0;
  #closed: Promise<void> | null = null;
  #whenIdle: (() => void) | null = null;

  constructor(endpoint: ScriptedGrpcEndpoint, clock: Clock, tls: ClientTls | null, all: Set<FakeGrpcExchange>) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#tls = tls;
    this.#all = all;
  }

  readonly send = async (request: MeshRequest): Promise<MeshResponse> => {
    if (request.context.rpc === null) throw new MeshError("invalid_config", `${requestName(request)} is no gRPC call. Nothing was sent`);
    if (request.cancel.isCancelled) throw request.cancel.reason;
    if (this.#closed !== null) throw this.#refused();
    const exchange = new FakeGrpcExchange(request, this.#endpoint.address, this.#clock.now(), (error) => this.#over(exchange, error));
    this.#all.add(exchange);
    this.#waiting.push({ exchange, request });
    this.#beginNext();
    return exchange.head;
  };

  #beginNext(): void {
    while (this.#running.size < this.#endpoint.streams) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#begin(next.exchange, next.request);
    }
  }

  #begin(exchange: FakeGrpcExchange, { attempt, authority }: MeshRequest): void {
    const behaviour = this.#endpoint.behaviour();
    if (behaviour === null) {
      this.#connection = 0;
      exchange.fail(this.#refused());
      return;
    }
    if (this.#connection === 0) {
      try {
        this.#tls?.connectOptions(authority);
      } catch (error) {
        exchange.fail(error);
        return;
      }
      this.#connection = ++this.#endpoint.connections;
      this.#completed = 0;
    }
    if (attempt) {
      attempt.connection = this.#connection;
      attempt.reusedConnection = this.#completed > 0;
      attempt.wasSent = true;
    }
    this.#running.add(exchange);
    this.#endpoint.calls.push(exchange);
    const handled = async () => behaviour(exchange);
    handled().catch((error: unknown) => exchange.end(GrpcStatus.UNKNOWN, error instanceof Error ? error.message : String(error)));
  }

  #over(exchange: FakeGrpcExchange, error: unknown): void {
    this.#all.delete(exchange);
    this.#waiting = this.#waiting.filter((waiting) => waiting.exchange !== exchange);
    if (this.#running.delete(exchange)) {
      if (error === null) this.#completed++;
      // The connection is gone with it; what else was on it has to be broken by itself.
      else if (error instanceof TransportFailure && error.kind === "reset") this.#connection = 0;
    }
    this.#beginNext();
    this.#idle();
  }

  #refused(): TransportFailure {
    return new TransportFailure("connect-failure", `connecting to ${this.#endpoint.address}: connection refused`);
  }

  #idle(): void {
    if (this.#running.size > 0 || this.#waiting.length > 0) return;
    this.#whenIdle?.();
  }

  connections(): number {
    return this.#connection === 0 ? 0 : 1;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#whenIdle = () => {
        this.#connection = 0;
        resolve();
      };
      this.#idle();
    });
    return this.#closed;
  }

  destroy(reason: Error): void {
    void this.close();
    const { address } = this.#endpoint;
    for (const exchange of [...this.#running, ...this.#waiting.map(({ exchange }) => exchange)]) {
      exchange.fail(new TransportFailure("reset", `${address}: the connection was cut: ${reason.message}`, { cause: reason }));
    }
  }
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve);
  });
}
