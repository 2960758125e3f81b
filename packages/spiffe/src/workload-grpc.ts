import { createRequire } from "node:module";
import type { Socket } from "node:net";
import type * as Grpc from "@grpc/grpc-js";
import type { OpenStream, StreamEnd } from "./workload-stream.ts";

const METHOD = "/SpiffeWorkloadAPI/FetchX509SVID";
/** The request, X509SVIDRequest, has no fields. */
const EMPTY = Buffer.alloc(0);

export interface GrpcStreamOptions {
  /** For grpc-js. */
  readonly target: string;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
}

/**
 * The stream over grpc-js, which is loaded here, on first need. Throws TypeError with what to install where it is not there.
 *
 * Each stream has a channel of its own, which goes with it: who tries again, and when, is decided by the source alone.
 */
export function grpcStream({ target, keepaliveMs, keepaliveTimeoutMs }: GrpcStreamOptions): OpenStream {
  const grpc = loadGrpc();
  const channelOptions: Grpc.ClientOptions = {
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    // Shared ones would remember the backoff of the attempt before.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    // Neither a proxy of the environment: what is said here holds private keys.
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
  };
  return (listener) => {
    const connection = new Connection();
    const client = new grpc.Client(target, connection.credentials(grpc), channelOptions);
    const metadata = new grpc.Metadata();
    // Workload Endpoint section 3: what a forged request that somebody else was made to send does not have.
    metadata.set("workload.spiffe.io", "true");
    const identity = (bytes: Buffer) => bytes;
    const call = client.makeServerStreamRequest<Buffer, Buffer>(METHOD, identity, identity, EMPTY, metadata, {});
    let isOver = false;
    let hasEnded = false;
    let end: StreamEnd | null = null;
    const close = () => {
      if (isOver) return;
      isOver = true;
      call.cancel();
      client.close();
      connection.cut();
    };
    // The status may come while a message still waits to be read: it is over when both have come.
    const settle = () => {
      if (isOver || !hasEnded || end === null) return;
      close();
      listener.end(end);
    };
    call.on("data", (bytes: Buffer) => {
      if (!isOver) listener.message(bytes);
    });
    call.on("end", () => {
      hasEnded = true;
      settle();
    });
    call.on("status", ({ code, details }: Grpc.StatusObject) => {
      end = { code: grpc.status[code] ?? String(code), details };
      settle();
    });
    // It says what the status says.
    call.on("error", () => {});
    return close;
  };
}

/**
 * Closing a channel of grpc-js leaves its socket to a peer that is silent: one that has not greeted yet, or does not close its end. So
 * whoever opened it keeps hold of it.
 */
class Connection {
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  /** Of no encryption; they see each socket of the channel. */
  credentials(grpc: typeof Grpc): Grpc.ChannelCredentials {
    const credentials = grpc.credentials.createInsecure();
    const createConnector = credentials._createSecureConnector.bind(credentials);
    credentials._createSecureConnector = (...given) => {
      const connector = createConnector(...given);
      const connect = connector.connect.bind(connector);
      connector.connect = (socket) => {
        this.#sockets.add(socket);
        if (this.#isCut) socket.destroy();
        return connect(socket);
      };
      return connector;
    };
    return credentials;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

function loadGrpc(): typeof Grpc {
  try {
    return createRequire(import.meta.url)("@grpc/grpc-js") as typeof Grpc;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "MODULE_NOT_FOUND") throw error;
    throw new TypeError("workloadApi needs the package @grpc/grpc-js, which is not installed: npm install @grpc/grpc-js", { cause: error });
  }
}
