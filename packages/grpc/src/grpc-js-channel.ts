import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import * as grpcJs from "@grpc/grpc-js";
import { GrpcJsShapeError, partOf, type Shape, shapeOf } from "./grpc-js-shape.ts";

type Call = ReturnType<grpcJs.Channel["createCall"]>;
export type CallListener = Parameters<Call["start"]>[1];
/** What is known of how a call ended: `rstCode` where its stream was reset, or ended without a status. */
export type CallStatus = Parameters<CallListener["onReceiveStatus"]>[0] & { readonly rstCode?: number; readonly progress?: string };

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
  isOpen(): void;
  /** `error`: why, where it is known here. */
  failed(error: Error | null): void;
  /** It takes no more calls; those that it has go on where the server lets them. */
  left(): void;
  /** A call has left for this connection. */
  started(call: CallStart, stream: ClientHttp2Stream): void;
}

export interface CallStart {
  readonly path: string;
  readonly authority: string;
  /** As they are to be on the wire; what grpc-js itself says of the message's encoding comes beside. */
  readonly headers: OutgoingHttpHeaders;
  readonly userAgent: string | undefined;
}

/** What grpc-js is told of a channel that is one connection of ours: it neither resolves names nor repeats calls. */
const OPTIONS: grpcJs.ChannelOptions = {
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_channelz": 0,
  "grpc.client_idle_timeout_ms": 5 * 60_000,
  "grpc.keepalive_time_ms": 5 * 60_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // What an answer may have sent before its reader takes any of it: what a body holds.
  "grpc-node.flow_control_window": 256 * 1024,
};

/** Calls wait for their connection here and not in grpc-js, which is given one once it is there. */
const METADATA: { waitForReady: boolean } = { waitForReady: true };

let isChecked = false;

/**
 * The public `Channel` of grpc-js over connections that are made elsewhere, and all that this package knows of what is inside of it:
 * - a subchannel takes its connection of a connector; ours asks its owner for a socket, so that dialling, timeouts, TLS and counting are
 *   ours, and lets grpc-js speak on it. A target that is a path needs no resolver, and is shown as the peer;
 * - `createRetryingCall` is left out: it hides how a stream ended, and copies what it is never to send again;
 * - `createCall` of the connection is where a call leaves, with the header fields that it was given.
 */
export class GrpcJsChannel {
  readonly #channel: grpcJs.Channel;
  readonly #wants: (request: ConnectionRequest) => void;
  readonly #starting = new Map<number, CallStart>();
  readonly #metadata: grpcJs.Metadata;
  readonly #adopted = new WeakSet<object>();
  readonly #mostBytes: number;
  #subchannel: Shape["subchannel"] | null = null;

  constructor(
    address: string,
    options: grpcJs.ChannelOptions,
    wants: (request: ConnectionRequest) => void,
    module: typeof grpcJs = grpcJs,
  ) {
    if (!isChecked || module !== grpcJs) checkGrpcJs(module);
    this.#wants = wants;
    this.#mostBytes = options["grpc.max_send_message_length"] ?? -1;
    this.#metadata = new module.Metadata(METADATA);
    this.#channel = new module.Channel(`unix:${address}`, module.credentials.createInsecure(), { ...OPTIONS, ...options });
    const { internalChannel, subchannelPool } = shapeOf(this.#channel);
    internalChannel.createRetryingCall = (config, method, host, credentials, deadline, number) => {
      const call = internalChannel.createLoadBalancingCall(config, method, host, credentials, deadline, number);
      // grpc-js starts, too, what was cancelled in the turn of its start.
      if (!this.#starting.has(number)) call.cancelWithStatus(grpcJs.status.CANCELLED, "cancelled");
      return call;
    };
    const getOrCreate = subchannelPool.getOrCreateSubchannel.bind(subchannelPool);
    subchannelPool.getOrCreateSubchannel = (...args) => this.#adopt(getOrCreate(...args));
  }

  /** Whether a message is not above the client's limit: grpc-js looks when part of the call has been sent. */
  takes(message: Uint8Array): boolean {
    return this.#mostBytes < 0 || message.byteLength <= this.#mostBytes;
  }

  /** Sees to it that a connection is asked for, now. */
  connect(): void {
    this.#channel.getConnectivityState(true);
    this.#subchannel?.resetBackoff();
  }

  start(start: CallStart, listener: CallListener): StartedCall {
    const call = this.#channel.createCall(start.path, Number.POSITIVE_INFINITY, start.authority, null, null);
    const number = call.getCallNumber();
    this.#starting.set(number, start);
    call.start(this.#metadata, listener);
    return {
      call,
      cancel: () => {
        this.#starting.delete(number);
        call.cancelWithStatus(grpcJs.status.CANCELLED, "cancelled");
      },
    };
  }

  /** Connections close when their calls have ended. */
  close(): void {
    this.#channel.close();
  }

  #adopt(subchannel: Shape["subchannel"]): Shape["subchannel"] {
    this.#subchannel = subchannel;
    if (this.#adopted.has(subchannel)) return subchannel;
    this.#adopted.add(subchannel);
    const { connector } = subchannel;
    subchannel.connector = {
      connect: (address, _secureConnector, options) =>
        new Promise((resolve, reject) => {
          this.#wants({
            speak: (socket, isSecure, told) => {
              const opening = connector.createSession({ socket, secure: isSecure }, address, options);
              if (connector.session) listen(connector.session, told);
              const opened = (transport: Shape["transport"]) => {
                this.#prepare(transport, told);
                resolve(transport);
                queueMicrotask(() => told.isOpen());
              };
              opening.then(opened).catch((reason: unknown) => {
                socket.destroy();
                reject(reason);
                const error = reason instanceof GrpcJsShapeError ? reason.of(versionOf()) : null;
                queueMicrotask(() => told.failed(error));
              });
            },
            fail: (reason, then) => {
              reject(reason);
              queueMicrotask(then);
            },
          });
        }),
      createSession: (...args) => connector.createSession(...args),
      session: null,
      shutdown: () => connector.shutdown(),
    };
    return subchannel;
  }

  #prepare(transport: Shape["transport"], told: ConnectionEvents): void {
    const create = partOf(transport, "transport", "createCall", "function").bind(transport);
    const ownAgent = partOf(transport, "transport", "userAgent", "string");
    partOf(transport, "transport", "addDisconnectListener", "function").call(transport, () => told.left());
    transport.createCall = (metadata, host, method, listener, tracker, number) => {
      const start = this.#starting.get(number);
      if (start === undefined) throw new Error("the call is over");
      transport.userAgent = start.userAgent ?? ownAgent;
      const headers = { toHttp2Headers: () => Object.assign(metadata.toHttp2Headers(), start.headers) };
      const call = create(headers, host, method, listener, tracker, number);
      this.#starting.delete(number);
      told.started(start, partOf(call, "call", "http2Stream", "object"));
      return call;
    };
  }
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

export interface StartedCall {
  readonly call: Call;
  cancel(): void;
}

/** Throws a MeshError that names the version where grpc-js is not made as this file takes it to be. */
export function checkGrpcJs(module: typeof grpcJs): void {
  const version = versionOf();
  try {
    for (const name of ["Channel", "Metadata", "credentials"] as const)
      if (module[name] === undefined) throw new GrpcJsShapeError(`no ${name} is exported`);
    const credentials = module.credentials.createInsecure();
    const channel = new module.Channel("unix:none", credentials, OPTIONS);
    const { subchannelPool, target } = shapeOf(channel);
    const subchannel = subchannelPool.getOrCreateSubchannel(target, { path: "none" }, {}, credentials);
    partOf(subchannel, "subchannel", "resetBackoff", "function");
    const connector = partOf(subchannel, "subchannel", "connector", "object");
    for (const name of ["connect", "createSession", "shutdown"] as const) partOf(connector, "connector", name, "function");
    channel.close();
  } catch (error) {
    if (!(error instanceof GrpcJsShapeError)) throw error;
    throw error.of(version);
  }
  if (module === grpcJs) isChecked = true;
}

function versionOf(): string {
  return (createRequire(import.meta.url)("@grpc/grpc-js/package.json") as { version: string }).version;
}
