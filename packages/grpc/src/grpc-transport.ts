import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Channel,
  type ChannelSettings,
  type Connectivity,
  type MeshRequest,
  type MeshResponse,
  type Transport,
  TransportFailure,
} from "@heddle/core";
import { type Dial, dialer, OpenSockets, tlsDialer } from "@heddle/http";
import { GrpcLink } from "./grpc-link.ts";
import { linkOptions } from "./link-options.ts";

/** gRPC over grpc-js: one of its channels for each endpoint, TLS setting, and kind of client. For services with `protocol: grpc` alone. */
export function grpcTransport(): Transport {
  // A connection keeps the stores of the call it is opened in, of the application's own storages too, for as long as it is open.
  const outsideCalls = AsyncLocalStorage.snapshot();
  return {
    open(settings) {
      if (settings.protocol !== "grpc") throw new TypeError(`${settings.address}: this transport speaks grpc, not ${settings.protocol}`);
      return new GrpcChannel(settings, outsideCalls);
    },
  };
}

const BEST_FIRST: readonly Connectivity[] = ["ready", "connecting", "transient-failure"];

class GrpcChannel implements Channel {
  readonly send: (request: MeshRequest) => Promise<MeshResponse> = (request) => this.#send(request);
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open = new OpenSockets();
  readonly #perHost: boolean;
  readonly #links = new Map<string, GrpcLink>();
  #isClosed = false;

  constructor(settings: ChannelSettings, outsideCalls: ReturnType<typeof AsyncLocalStorage.snapshot>) {
    const { address, tls } = settings;
    const timeoutMs = () => settings.connectTimeoutMs;
    const dial = tls === null ? dialer(address, timeoutMs) : tlsDialer(address, tls, "h2", timeoutMs);
    this.#settings = settings;
    this.#dial = (connected, authority) => outsideCalls(() => dial(connected, authority));
    // A server that proved to be one host has not proved to be another.
    this.#perHost = tls?.mode === "simple";
  }

  /** Of its links the one that fares best, as of the subchannels of one channel. */
  readonly connectivity = (): Connectivity => {
    const states = new Set(Array.from(this.#links.values(), (link) => link.connectivity));
    return BEST_FIRST.find((state) => states.has(state)) ?? "idle";
  };

  connections(): number {
    return this.#open.count;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
    await this.#open.closed();
  }

  destroy(reason: Error): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.destroy(reason);
    this.#open.destroy(reason);
  }

  #send(request: MeshRequest): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    if (this.#isClosed)
      return Promise.reject(new TransportFailure("connect-failure", `the channel to ${this.#settings.address} is closed`));
    return this.#linkOf(request).take(request);
  }

  #linkOf({ authority, context }: MeshRequest): GrpcLink {
    const { key, options } = linkOptions(context.rpc?.client ?? null);
    const name = this.#perHost ? `${authority} ${key}` : key;
    let link = this.#links.get(name);
    if (link === undefined) {
      // Hosts may be as many as a wildcard has names; those that are not called any more must not stay.
      for (const [other, { isUnused }] of this.#links) if (isUnused) this.#drop(other);
      link = new GrpcLink(this.#settings, this.#dial, this.#open, options);
      this.#links.set(name, link);
    }
    return link;
  }

  #drop(name: string): void {
    void this.#links.get(name)?.close();
    this.#links.delete(name);
  }
}
