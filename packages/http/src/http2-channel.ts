import type { AsyncLocalStorage } from "node:async_hooks";
import {
  type Channel,
  type ChannelSettings,
  isUpgrade,
  MeshError,
  type MeshRequest,
  type MeshResponse,
  requestName,
  TransportFailure,
} from "@heddle/core";
import { type Dial, dialer } from "./dial.ts";
import { tlsDialer } from "./dial-tls.ts";
import { Http2Queue } from "./http2-queue.ts";
import { OpenSockets } from "./open-sockets.ts";

/**
 * HTTP/2 over node:http2: one connection that takes requests, or one for each host where servers are known by the host's name, and
 * beside it those that finish what they have. What the server allows no stream for waits. undici's client is not used: it repeats by
 * itself what a server refused, out of sight of retries and their budget, and takes the body of a stream that was reset for complete.
 */
export class Http2Channel implements Channel {
  readonly send: (request: MeshRequest) => Promise<MeshResponse> = (request) => this.#send(request);
  readonly #settings: ChannelSettings;
  readonly #dial: Dial;
  readonly #open = new OpenSockets();
  readonly #perHost: boolean;
  readonly #queues = new Map<string, Http2Queue>();
  #isClosed = false;

  constructor(settings: ChannelSettings, outsideRequests: ReturnType<typeof AsyncLocalStorage.snapshot>) {
    this.#settings = settings;
    const { address, tls } = settings;
    const timeoutMs = () => settings.connectTimeoutMs;
    const dial = tls === null ? dialer(address, timeoutMs) : tlsDialer(address, tls, "h2", timeoutMs);
    this.#dial = (connected, authority) => outsideRequests(() => this.#open.dial(dial, connected, authority));
    // A server that proved to be one host has not proved to be another.
    this.#perHost = tls?.mode === "simple";
  }

  connections(): number {
    return this.#open.count;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#queues.values(), (queue) => queue.close()));
    await this.#open.closed();
  }

  destroy(reason: Error): void {
    this.#isClosed = true;
    this.#open.destroy(reason);
    for (const queue of this.#queues.values()) queue.destroy(reason);
  }

  #send(request: MeshRequest): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    if (this.#isClosed)
      return Promise.reject(new TransportFailure("connect-failure", `the channel to ${this.#settings.address} is closed`));
    if (isUpgrade(request)) return Promise.reject(noUpgrade(request));
    return this.#queueOf(this.#perHost ? request.authority : "").take(request);
  }

  #queueOf(host: string): Http2Queue {
    let queue = this.#queues.get(host);
    if (queue === undefined) {
      // Hosts may be as many as a wildcard has names; those that are not called any more must not stay.
      for (const [name, { isUnused }] of this.#queues) if (isUnused) this.#queues.delete(name);
      queue = new Http2Queue(this.#settings, this.#dial, this.#open);
      this.#queues.set(host, queue);
    }
    return queue;
  }
}

function noUpgrade(request: MeshRequest): MeshError {
  const what = request.method === "CONNECT" ? "CONNECT" : "an upgrade";
  return new MeshError(
    "invalid_config",
    `${requestName(request)}: ${what} needs a service with protocol: http1; this one is called in http2`,
  );
}
