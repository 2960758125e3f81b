import { type Channel, type Clock, GrpcStatus, type MeshRequest, type MeshResponse, type Transport, TransportFailure } from "@heddle/core";
import { type FakeGrpcEndpoint, ScriptedGrpcEndpoint } from "./fake-grpc-endpoint.ts";
import { FakeGrpcExchange } from "./fake-grpc-exchange.ts";

/** A transport for gRPC without a network: every endpoint does what its handle was told. */
export interface FakeGrpcTransport extends Transport {
  /** The handle of an address, whether or not a channel to it is open. */
  endpoint(address: string): FakeGrpcEndpoint;
  /** Exchanges that are neither complete nor broken. 0 after everything was closed, or something leaks. */
  readonly inFlight: number;
}

export function fakeGrpcTransport({ clock }: { readonly clock: Clock }): FakeGrpcTransport {
  const endpoints = new Map<string, ScriptedGrpcEndpoint>();
  const exchanges = new Set<FakeGrpcExchange>();
  const endpoint = (address: string): ScriptedGrpcEndpoint => {
    const known = endpoints.get(address) ?? new ScriptedGrpcEndpoint(address, (ms) => sleep(clock, ms));
    endpoints.set(address, known);
    return known;
  };
  return {
    endpoint,
    open: ({ address }) => new FakeGrpcChannel(endpoint(address), clock, exchanges),
    get inFlight() {
      return exchanges.size;
    },
  };
}

/** One connection, over which all exchanges go. */
class FakeGrpcChannel implements Channel {
  readonly #endpoint: ScriptedGrpcEndpoint;
  readonly #clock: Clock;
  readonly #all: Set<FakeGrpcExchange>;
  readonly #own = new Set<FakeGrpcExchange>();
  #completed = 0;
  #isConnected = false;
  #closed: Promise<void> | null = null;
  #whenIdle: (() => void) | null = null;

  constructor(endpoint: ScriptedGrpcEndpoint, clock: Clock, all: Set<FakeGrpcExchange>) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#all = all;
  }

  readonly send = async (request: MeshRequest): Promise<MeshResponse> => {
    if (request.cancel.isCancelled) throw request.cancel.reason;
    const behaviour = this.#endpoint.behaviour();
    if (this.#closed !== null || behaviour === null) {
      this.#isConnected = false;
      throw new TransportFailure("connect-failure", `connecting to ${this.#endpoint.address}: connection refused`);
    }
    this.#isConnected = true;
    if (request.attempt) {
      request.attempt.connection = 1;
      request.attempt.reusedConnection = this.#completed > 0;
      request.attempt.wasSent = true;
    }
    const exchange = new FakeGrpcExchange(request, this.#endpoint.address, this.#clock.now(), (isComplete) => {
      if (isComplete) this.#completed++;
      this.#own.delete(exchange);
      this.#all.delete(exchange);
      if (this.#own.size === 0) this.#whenIdle?.();
    });
    this.#own.add(exchange);
    this.#all.add(exchange);
    this.#endpoint.calls.push(exchange);
    const handled = async () => behaviour(exchange);
    handled().catch((error: unknown) => exchange.end(GrpcStatus.UNKNOWN, error instanceof Error ? error.message : String(error)));
    return exchange.head;
  };

  connections(): number {
    return this.#isConnected ? 1 : 0;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#whenIdle = () => {
        this.#isConnected = false;
        resolve();
      };
      if (this.#own.size === 0) this.#whenIdle();
    });
    return this.#closed;
  }

  destroy(reason: Error): void {
    void this.close();
    const { address } = this.#endpoint;
    for (const exchange of [...this.#own]) {
      exchange.fail(new TransportFailure("reset", `${address}: the connection was cut: ${reason.message}`, { cause: reason }));
    }
  }
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve);
  });
}
