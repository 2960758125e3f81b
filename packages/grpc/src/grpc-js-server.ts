import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import { Metadata, Server, ServerCredentials, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { RpcKind } from "@heddle/core";
import { type HandlerFunction, settled } from "./server-handler.ts";

/** What `@grpc/grpc-js` does not promise, and every release of the supported range has. This file alone knows of it. */
interface ServerInternals {
  /** Every http2 server it listens with, or was made for an injector. */
  readonly http2Servers: Map<Http2Server, unknown>;
  /** By the very path that is called: `/package.Service/Method`. */
  readonly handlers: Map<string, { readonly type: string; func: HandlerFunction }>;
}

const SUPPORTED = "^1.14.0";

const KINDS: Readonly<Record<string, RpcKind>> = {
  unary: "unary",
  clientStream: "client-stream",
  serverStream: "server-stream",
  bidi: "bidi-stream",
};

/** A server of grpc-js whose streams come to somebody else first. */
export interface TakenServer {
  readonly http2: Http2Server;
  /** Serves this connection: a socket whose TLS, where it has any, is done. */
  inject(connection: Duplex): void;
  /** Gives it a stream, as if it had just come with these headers. */
  dispatch(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  /** Calls back when the application shuts the server down by force, which grpc-js, without channelz, leaves to who made the connections. */
  onForced(cut: () => void): void;
  /** Ends its part in the server. */
  destroy(): void;
}

/**
 * Throws TypeError for what is no server of the grpc-js that this package works with, or one whose inside is another than it knows.
 * `rejected` is told of handlers whose promise fails, which grpc-js does not look at.
 */
export function takeServer(server: Server, rejected: (path: string, error: unknown) => void): TakenServer {
  const { http2Servers, handlers } = internalsOf(server);
  const before = new Set(http2Servers.keys());
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2 = [...http2Servers.keys()].find((made) => !before.has(made));
  const listeners = http2?.listeners("stream") ?? [];
  const own = listeners[0];
  if (http2 === undefined || own === undefined || listeners.length !== 1)
    throw unknownShape("a connection injector has no http2 server with one listener");
  http2.removeAllListeners("stream");
  return {
    http2,
    inject: (connection) => injector.injectConnection(connection),
    dispatch(stream, headers) {
      settle(handlers.get(headers[":path"] ?? ""), headers[":path"] ?? "", rejected);
      Reflect.apply(own, http2, [stream, headers]);
    },
    onForced(cut) {
      const { forceShutdown } = server;
      server.forceShutdown = () => {
        forceShutdown.call(server);
        cut();
      };
    },
    destroy: () => injector.destroy(),
  };
}

const settling = new WeakSet<HandlerFunction>();

/** At the first call: services may be added while a server is served. */
function settle(handler: { func: HandlerFunction } | undefined, path: string, rejected: (path: string, error: unknown) => void): void {
  if (handler === undefined || settling.has(handler.func)) return;
  if (typeof handler.func !== "function") throw unknownShape("a handler of Server.handlers has no func");
  handler.func = settled(handler.func, (error) => rejected(path, error));
  settling.add(handler.func);
}

/** How the method of this path is called; null: the server has none. */
export function kindOfMethod(server: Server, path: string): RpcKind | null {
  const handler = internalsOf(server).handlers.get(path);
  return handler === undefined ? null : (KINDS[handler.type] ?? "unary");
}

/** Full names of the services that it has methods of. */
export function servicesOf(server: Server): ReadonlySet<string> {
  return new Set([...internalsOf(server).handlers.keys()].map((path) => path.slice(1, path.lastIndexOf("/"))));
}

/** What grpc-js knows of a call before its handler does. */
export interface InterceptedCall {
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
  /** The handler's: what is taken from it now is never seen. */
  readonly metadata: Metadata;
  readonly host: string;
  /** Until its deadline; Infinity without one. */
  readonly leftMs: number;
}

/** For an interceptor that is nearest the wire. */
export function interceptedCall(call: ServerInterceptingCallInterface, now: number): InterceptedCall {
  const { stream, metadata } = call as unknown as { readonly stream?: ServerHttp2Stream; readonly metadata?: Metadata };
  const session = stream?.session as ServerHttp2Session | undefined;
  if (stream === undefined || session === undefined) throw unknownShape("a call that is intercepted has no stream with a session");
  if (!(metadata instanceof Metadata)) throw unknownShape("a call that is intercepted has no metadata");
  const deadline = call.getDeadline();
  return { stream, session, metadata, host: call.getHost() ?? "", leftMs: Number(deadline) - now };
}

function internalsOf(server: Server): ServerInternals {
  if (!(server instanceof Server)) {
    const found = `it is none of the @grpc/grpc-js ${versionFound()} that @heddle/grpc has loaded`;
    throw new TypeError(
      `this is no gRPC server of this mesh: ${found}; two copies of @grpc/grpc-js in one process do not work together, so have one installed`,
    );
  }
  const { http2Servers, handlers } = server as unknown as Partial<ServerInternals>;
  if (!(http2Servers instanceof Map)) throw unknownShape("Server.http2Servers is no Map");
  if (!(handlers instanceof Map)) throw unknownShape("Server.handlers is no Map");
  return { http2Servers, handlers };
}

function unknownShape(what: string): TypeError {
  return new TypeError(`@grpc/grpc-js ${versionFound()} is none that @heddle/grpc works with (${SUPPORTED}): ${what}`);
}

function versionFound(): string {
  const { version } = createRequire(import.meta.url)("@grpc/grpc-js/package.json") as { readonly version: string };
  return version;
}
