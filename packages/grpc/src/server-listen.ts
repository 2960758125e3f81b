import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Server } from "@grpc/grpc-js";
import { checkKeys } from "@heddle/core";
import { type Attachment, Entrance, Serving, type ServingMesh, urlOf } from "@heddle/http";
import { kindOfMethod, type TakenServer, takeServer } from "./grpc-js-server.ts";
import { type CallPlace, serveCall } from "./server-call.ts";
import { type GrpcHealthOptions, type ServerHealth, serverHealth } from "./server-health.ts";
import { Sessions } from "./server-sessions.ts";

export interface GrpcListenOptions {
  /** 0 to 65535. Default 0: any free port. */
  readonly port?: number;
  /** Address to listen on. Default: every address of this machine, as with node:net. */
  readonly host?: string;
  /** `grpc.health.v1`, answered outside of every policy. Default `{}`. `false`, or a server that has it already: the application's own. */
  readonly health?: GrpcHealthOptions | false;
}

export interface GrpcListener extends Attachment {
  /** `http://127.0.0.1:9081`; localhost where it listens on every address; `https://` while only mutual TLS is let in. */
  readonly url: string;
  readonly port: number;
  readonly address: AddressInfo;
  readonly server: Server;
}

const served = new WeakSet<Server>();

/**
 * Serves the services of `server` behind the inbound stack of `mesh`, which sees every stream before grpc-js does: also those of methods
 * that do not exist. Resolves when it listens; rejects if it cannot, or if the mesh has no service.
 */
export async function listenGrpc(mesh: ServingMesh, server: Server, options: GrpcListenOptions = {}): Promise<GrpcListener> {
  checkKeys(options, ["port", "host", "health"], "mesh.listen");
  if (options.health) checkKeys(options.health, ["checks"], "health");
  mesh.assertServing();
  if (served.has(server)) throw new TypeError("mesh.listen: this gRPC server is being served already");
  const taken = takeServer(server, (path, error) => {
    const message = `serving ${path}: its handler rejected: ${error instanceof Error ? error.message : String(error)}; its caller got INTERNAL`;
    mesh.reportProblem({ where: "gRPC handlers", message, severity: "error" });
  });
  served.add(server);
  const place = new ListeningPlace(mesh, server, taken, options.health);
  taken.http2.once("close", () => void place.close());
  taken.onForced(() => place.destroy());
  await bind(place.net, options).catch(async (error: unknown) => {
    await place.close();
    throw error;
  });
  const address = place.net.address() as AddressInfo;
  return {
    // Looked up when asked: an edit of the configuration may change it.
    get url() {
      return urlOf(mesh.serverTls.mode() === "strict" ? "https" : "http", address);
    },
    port: address.port,
    address,
    server,
    close: () => place.close(),
    destroy: () => place.destroy(),
  };
}

class ListeningPlace implements CallPlace {
  readonly serving: Serving;
  readonly net: NetServer;
  readonly #server: Server;
  readonly #taken: TakenServer;
  readonly #sessions: Sessions;
  readonly #entrance: Entrance;
  readonly #health: ServerHealth | null;
  readonly #unregister: () => void;
  #closed: Promise<void> | null = null;

  constructor(mesh: ServingMesh, server: Server, taken: TakenServer, health: GrpcListenOptions["health"]) {
    this.serving = new Serving(mesh);
    this.#server = server;
    this.#taken = taken;
    this.#sessions = new Sessions(this.serving, taken.http2);
    this.#entrance = new Entrance(this.serving, (socket) => this.#admit(socket), { alpn: ["h2"], use: this.#sessions });
    this.#health = health === false ? null : serverHealth(this.serving, server, health ?? {});
    taken.http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      const connection = this.#sessions.connectionOf(stream);
      if (this.#health?.has(headers[":path"] ?? "")) taken.dispatch(stream, headers);
      else serveCall(this, { stream, headers, rawHeaders, connection });
    });
    this.net = createServer((socket) => this.#entrance.enter(socket));
    const drain = () => this.#drain();
    this.#unregister = mesh.onClose({ drain, close: () => this.close(), destroy: () => this.destroy() });
  }

  kindOf(path: string): ReturnType<CallPlace["kindOf"]> {
    return kindOfMethod(this.#server, path);
  }

  dispatch(...call: Parameters<CallPlace["dispatch"]>): void {
    this.#taken.dispatch(...call);
  }

  finish({ session }: ServerHttp2Stream): void {
    session?.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  destroy(): void {
    this.serving.destroy();
    this.#sessions.destroyAll();
    this.#entrance.cut();
  }

  #admit(socket: Duplex): void {
    // Over TLS it has to be agreed on (RFC 9113 section 3.2); Node would answer in HTTP/1.
    if ((socket as Partial<TLSSocket>).alpnProtocol === false) {
      this.serving.mesh.serverTls.refused("it did not agree to speak h2 by ALPN", (socket as Socket).remoteAddress ?? "a unix socket");
      socket.destroy();
      return;
    }
    this.#sessions.admit(socket, (admitted) => this.#taken.inject(admitted));
  }

  /** Callers go elsewhere, or come again: whoever does is served until this place closes. */
  #drain(): void {
    this.#health?.changed();
    this.#sessions.finishAll();
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.net.close(() => resolve());
    });
    const idle = this.serving.close();
    this.#drain();
    this.#entrance.cut();
    await idle;
    this.#health?.close();
    await closed;
    this.#entrance.close();
    this.#taken.destroy();
    this.#unregister();
    served.delete(this.#server);
  }
}

function bind(net: NetServer, { port = 0, host }: GrpcListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    net.once("error", reject);
    net.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      net.off("error", reject);
      resolve();
    });
  });
}
