import type { ClientHttp2Session } from "node:http2";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import * as grpcJs from "@grpc/grpc-js";
import { checkShape, GrpcJsShapeError, partOf, type Shape, shapeOf } from "./grpc-js-shape.ts";
import { GrpcJsTransport } from "./grpc-js-transport.ts";

/** grpc-js asks for a connection. It is answered with a socket or a failure, whenever there is one. */
export interface ConnectionRequest {
  speak(socket: Socket, isSecure: boolean, told: ConnectionEvents): void;
  /** `then` is called once grpc-js knows, and can be asked again. */
  fail(reason: string, then: () => void): void;
}

export interface ConnectionEvents {
  /** Before anything came of the server, and again when grpc-js has taken every listener off the session. */
  speaks(session: ClientHttp2Session): void;
  /** The server's settings came: it takes calls. */
  isOpen(transport: GrpcJsTransport): void;
  /** `error`: why, where it is known here. */
  failed(error: Error | null): void;
  /** It takes no more calls; those that it has go on where the server lets them. */
  left(): void;
}

/** A timer of Node takes no longer. Channels close their idle connections themselves: grpc-js does not know of the calls on them. */
const NEVER_MS = 2 ** 31 - 1;

/** What grpc-js is told of a channel that is one connection of ours: it neither resolves names nor repeats calls. */
const OPTIONS: grpcJs.ChannelOptions = {
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_channelz": 0,
  "grpc.client_idle_timeout_ms": NEVER_MS,
  "grpc.keepalive_time_ms": 5 * 60_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // What an answer may have sent before its reader takes any of it: what a body holds.
  "grpc-node.flow_control_window": 256 * 1024,
};

let isChecked = false;

/**
 * The public `Channel` of grpc-js over connections that are made elsewhere. It decides when to connect, and keeps the connection; a
 * subchannel takes it of a connector, and ours asks its owner for a socket, so that dialling, timeouts, TLS and counting are ours. A
 * target that is a path needs no resolver. Calls start on the connection itself ({@link GrpcJsTransport}): what grpc-js has above it
 * resolves, picks, waits and retries, which is the mesh's to do, hides how a stream ended, and starts what was cancelled meanwhile.
 */
export class GrpcJsChannel {
  readonly #channel: grpcJs.Channel;
  readonly #options: grpcJs.ChannelOptions;
  readonly #wants: (request: ConnectionRequest) => void;
  readonly #adopted = new WeakSet<object>();
  #subchannel: Shape["subchannel"] | null = null;

  /** `wants` is called whenever grpc-js would connect. */
  constructor(address: string, options: grpcJs.ChannelOptions, wants: (request: ConnectionRequest) => void) {
    if (!isChecked) checkGrpcJs(grpcJs);
    this.#wants = wants;
    this.#options = options;
    this.#channel = new grpcJs.Channel(`unix:${address}`, grpcJs.credentials.createInsecure(), { ...OPTIONS, ...options });
    const { subchannelPool } = shapeOf(this.#channel);
    const getOrCreate = subchannelPool.getOrCreateSubchannel.bind(subchannelPool);
    subchannelPool.getOrCreateSubchannel = (...args) => this.#adopt(getOrCreate(...args));
  }

  /** Sees to it that a connection is asked for, now. */
  connect(): void {
    this.#channel.getConnectivityState(true);
    this.#subchannel?.resetBackoff();
  }

  /** Connections close when their calls have ended. */
  close(): void {
    this.#channel.close();
  }

  #adopt(subchannel: Shape["subchannel"]): Shape["subchannel"] {
    this.#subchannel = subchannel;
    if (this.#adopted.has(subchannel)) return subchannel;
    this.#adopted.add(subchannel);
    // As grpc-js made it.
    const connector = subchannel.connector as Shape["connector"];
    subchannel.connector = {
      connect: (address, _secureConnector, options) =>
        new Promise((resolve, reject) => {
          this.#wants({
            speak: (socket, isSecure, told) =>
              this.#speak(connector, { socket, secure: isSecure }, address, options, told).then(resolve, reject),
            fail: (reason, then) => {
              reject(reason);
              queueMicrotask(then);
            },
          });
        }),
      shutdown: () => connector.shutdown(),
    };
    return subchannel;
  }

  /** What is told is told when grpc-js knows it, too. */
  async #speak(
    connector: Shape["connector"],
    connected: { socket: Socket; secure: boolean },
    address: object,
    options: object,
    told: ConnectionEvents,
  ): Promise<Shape["transport"]> {
    try {
      const opening = connector.createSession(connected, address, options);
      const { session } = connector;
      if (session) listen(session, told);
      const transport = await opening;
      if (session === null) throw new GrpcJsShapeError("connector.session is no object");
      partOf(transport, "transport", "addDisconnectListener", "function").call(transport, () => told.left());
      const opened = new GrpcJsTransport(transport, session, this.#options);
      afterAwaits(() => told.isOpen(opened));
      return transport;
    } catch (reason) {
      connected.socket.destroy();
      const error = reason instanceof GrpcJsShapeError ? reason.of(versionOf()) : null;
      afterAwaits(() => told.failed(error));
      throw reason;
    }
  }
}

/** Once the promise of an async function that settles in this turn has told those who wait for it, and those who wait for them. */
function afterAwaits(then: () => void): void {
  queueMicrotask(() => process.nextTick(then));
}

/** grpc-js takes all listeners off once it is open, and with them those by which Node knows what to tell: settings would never change again. */
function listen(session: ClientHttp2Session, told: ConnectionEvents): void {
  const remove = session.removeAllListeners.bind(session);
  session.removeAllListeners = (name) => {
    if (name !== undefined) return remove(name);
    for (const own of ["remoteSettings", "goaway", "close", "error"]) remove(own);
    told.speaks(session);
    return session;
  };
  told.speaks(session);
}

/** Throws a MeshError that names the version where grpc-js is not made as this package takes it to be. */
export function checkGrpcJs(module: typeof grpcJs): void {
  try {
    checkShape(module, OPTIONS);
  } catch (error) {
    throw error instanceof GrpcJsShapeError ? error.of(versionOf()) : error;
  }
  if (module === grpcJs) isChecked = true;
}

function versionOf(): string {
  return (createRequire(import.meta.url)("@grpc/grpc-js/package.json") as { version: string }).version;
}
