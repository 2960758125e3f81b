import type { Agent } from "node:http";
import { type CallOptions, createMesh, type Duration, type Mesh, runDetached, runWithOptions } from "@heddle/core";
import { type MeshMiddleware, type MeshMiddlewareOptions, meshMiddleware } from "@heddle/express-adapter";
import { type MeshPlugin, meshPlugin } from "@heddle/fastify-adapter";
import {
  type Attachment,
  type AttachOptions,
  attach,
  checkCallOptions,
  type Failures,
  type FetchFunction,
  installMesh,
  type Listener,
  type ListenOptions,
  listen,
  MeshAgent,
  MeshDispatcher,
  type MeshInterceptor,
  meshFetch,
  meshInterceptor,
  meshRequest,
  ownCalls,
  type RequestFunction,
  type Servable,
  type ServerFactory,
  type ServiceHandle,
  serverFactory,
  serviceHandle,
} from "@heddle/http";
import { type CloseOnOptions, closeOn } from "./close-on.ts";
import type { ServiceName } from "./define-mesh.ts";
import { type MeshConfig, PROCESS } from "./find-config.ts";
import type { GrpcClientClass, GrpcClientOptions } from "./grpc-client.ts";
import { grpcPackage } from "./grpc-package.ts";
import { type GrpcListener, type GrpcListenOptions, type GrpcServer, isGrpcServer } from "./grpc-server.ts";
import { meshTransport } from "./mesh-transport.ts";
import { type JoinOptions, resolveOptions } from "./options.ts";

/**
 * The mesh with every HTTP front door, both ways. All functions are bound: they can be passed on. `Names`: of its services, where its
 * configuration was made by `defineMesh`.
 */
export interface JoinedMesh<Names extends string = string>
  extends Pick<
    Mesh,
    "serviceName" | "egress" | "ready" | "report" | "explain" | "explainInbound" | "inspect" | "health" | "isDraining" | "close" | "protect"
  > {
  /** The fast way: undici without streams. `mesh.request("http://reviews/api/7", { method, headers, json, body, signal, mesh })`. */
  readonly request: RequestFunction;
  /** WHATWG fetch through the mesh. */
  readonly fetch: FetchFunction;
  /** For `undici.request(url, { dispatcher })` and everything else that takes an undici dispatcher. */
  readonly dispatcher: MeshDispatcher;
  /** A handle to one service, resolved once: `reviews.get("/api/7").json()`. */
  service(name: Names): ServiceHandle;
  /**
   * For any generated client of `@grpc/grpc-js`, also where a framework makes it:
   * `new ReviewsClient("reviews", credentials.createInsecure(), mesh.grpcOptions())`. Its address names the service; TLS is the mesh's
   * affair. Needs `@heddle/grpc`.
   */
  grpcOptions(): GrpcClientOptions;
  /** A generated client of one service: `mesh.grpc(ReviewsClient, "reviews")`. Options are those of the client. Needs `@heddle/grpc`. */
  grpc<Client, Options extends object>(clientClass: GrpcClientClass<Client, Options>, service: Names, options?: Options): Client;
  /** For users of node:http, such as axios' default adapter: `axios.create({ httpAgent: mesh.agent() })`. The endpoint is picked for each request; a deadline holds, nothing is tried again. */
  agent(): Agent;
  /** For `new Agent().compose(mesh.interceptor())`: hosts of services go through the mesh, all others on to that agent. */
  interceptor(): MeshInterceptor;
  /**
   * Makes the mesh undici's global dispatcher, so that the built-in fetch goes through it, and node:http's global agent; what was there
   * serves unclaimed hosts and comes back on dispose.
   */
  install(): Disposable;
  /** Serves an Express app, a Fastify instance, a `{ fetch }` handler or a node:http listener through the inbound stack. */
  listen(application: Servable, options?: ListenOptions): Promise<Listener>;
  /** Serves a gRPC server through the inbound stack, in plain text or mutual TLS as the policy says. Needs `@heddle/grpc`. */
  listen(server: GrpcServer, options?: GrpcListenOptions): Promise<GrpcListener>;
  /** A gRPC server to add services to and give to `listen`: `mesh.grpcServer<grpc.Server>()`. Options are those of grpc-js. Needs `@heddle/grpc`. */
  grpcServer<S extends GrpcServer = GrpcServer>(options?: object): S;
  /**
   * For a gRPC server that a framework makes and binds with `bindAsync`: its TLS, and the inbound stack around each call of a method that it
   * has. Throws where mutual TLS is permissive, which only `listen` can do. `mesh.grpcServerCredentials<grpc.ServerCredentials>()`. Needs `@heddle/grpc`.
   */
  grpcServerCredentials<C extends object = object>(): C;
  /** Puts the inbound stack before the listeners of a server that exists. */
  attach(server: Parameters<typeof attach>[1], options?: AttachOptions): Attachment;
  /** Express 5 middleware: gives `req.mesh`, and runs the inbound stack where no listener has. */
  express(options?: MeshMiddlewareOptions): MeshMiddleware;
  /** Fastify 5 plugin: gives `req.mesh`, and runs the inbound stack where no listener has. `await fastify.register(mesh.fastify())`. */
  fastify(): MeshPlugin;
  /** Servers that run the inbound stack before Fastify sees anything: `fastify({ serverFactory: mesh.serverFactory() })`. */
  serverFactory(options?: AttachOptions): ServerFactory;
  /**
   * Closes the mesh on the first of these signals, then ends the process, unless the application listens for the signal itself; a
   * second signal, over 1 s later, ends it at once. Without this call the mesh never touches signals.
   */
  closeOn(signals: readonly NodeJS.Signals[], options?: CloseOnOptions): Disposable;
  /** Runs `run` with these options for every call made in it, however deep: for code that cannot pass them. */
  with<T>(options: CallOptions, run: () => T): T;
  /** Runs `run` with nothing of the current request: no deadline, no trace, no tags. */
  detached<T>(run: () => T): T;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Joins the mesh: reads the configuration and resolves when it is known. Rejects with a MeshError `not_ready` that names the source
 * and the reason after `startTimeout`, or at once if the configuration does not define `service`. Throws TypeError for wrong options.
 */
export async function joinMesh<M extends MeshConfig = MeshConfig>(options: JoinOptions<M> = {}): Promise<JoinedMesh<ServiceName<M>>> {
  const { failures, ...resolved } = await resolveOptions(options, PROCESS);
  if (resolved.bypass) console.error(BYPASSED);
  const mesh = createMesh({ ...resolved, transport: meshTransport(), ownCalls: ownCalls() });
  try {
    await mesh.ready();
  } catch (error) {
    await mesh.close();
    throw error;
  }
  return withFrontDoors(mesh, failures);
}

const BYPASSED =
  "heddle: THE MESH IS BYPASSED (`bypass` or HEDDLE_BYPASS=1): no timeout, retry, breaker, balancing or route; every request goes to its service's first endpoint";

function withFrontDoors(mesh: Mesh, failures: Failures): JoinedMesh {
  const dispatcher = new MeshDispatcher(mesh, { failures });
  const agent = new MeshAgent(mesh, { failures });
  const close = (options?: { readonly drain?: Duration; readonly limit?: Duration }) => mesh.close(options);
  return {
    serviceName: mesh.serviceName,
    get egress() {
      return mesh.egress;
    },
    get isDraining() {
      return mesh.isDraining;
    },
    request: meshRequest(mesh, dispatcher),
    fetch: meshFetch(mesh, dispatcher),
    dispatcher,
    service: (name) => serviceHandle(mesh, name, dispatcher),
    grpcOptions: () => grpcPackage("mesh.grpcOptions").meshGrpcOptions(mesh) as object as GrpcClientOptions,
    grpc: grpcClientOf(mesh),
    agent: () => agent,
    interceptor: () => meshInterceptor(mesh, { failures }),
    install: () => installMesh(mesh, dispatcher, agent),
    listen: listenerOf(mesh),
    grpcServer: <S extends GrpcServer>(serverOptions?: object) =>
      grpcPackage("mesh.grpcServer").grpcServer(serverOptions) as GrpcServer as S,
    attach: (server, attachOptions) => attach(mesh, server, attachOptions),
    express: (middlewareOptions) => meshMiddleware(mesh, middlewareOptions),
    fastify: () => meshPlugin(mesh),
    serverFactory: (attachOptions) => serverFactory(mesh, attachOptions),
    grpcServerCredentials: <C extends object>() => grpcPackage("mesh.grpcServerCredentials").serverCredentials(mesh) as object as C,
    closeOn: (signals, closeOptions) => closeOn(mesh, signals, closeOptions),
    with(callOptions, run) {
      checkCallOptions(callOptions);
      return runWithOptions(callOptions, run);
    },
    detached: (run) => runDetached(run),
    protect: (resource, run, protectOptions) => mesh.protect(resource, run, protectOptions),
    ready: () => mesh.ready(),
    report: (reply) => mesh.report(reply),
    explain: (request) => mesh.explain(request),
    explainInbound: (request) => mesh.explainInbound(request),
    inspect: () => mesh.inspect(),
    health: () => mesh.health(),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

function grpcClientOf(mesh: Mesh): JoinedMesh["grpc"] {
  return <Client, Options extends object>(clientClass: GrpcClientClass<Client, Options>, service: string, clientOptions?: Options) => {
    const { meshGrpc } = grpcPackage("mesh.grpc");
    // A class that was generated for grpc-js takes its credentials, of which these types know nothing.
    type Generated = Parameters<typeof meshGrpc<Client, Options>>[1];
    return meshGrpc(mesh, clientClass as object as Generated, service, clientOptions);
  };
}

function listenerOf(mesh: Mesh): JoinedMesh["listen"] {
  function serve(application: Servable, options?: ListenOptions): Promise<Listener>;
  function serve(server: GrpcServer, options?: GrpcListenOptions): Promise<GrpcListener>;
  async function serve(application: Servable | GrpcServer, options?: ListenOptions & GrpcListenOptions): Promise<Listener | GrpcListener> {
    if (!isGrpcServer(application)) return listen(mesh, application, options);
    const { listenGrpc } = grpcPackage("mesh.listen");
    // It refuses what is no server of its own copy of grpc-js.
    return listenGrpc(mesh, application as object as Parameters<typeof listenGrpc>[1], options);
  }
  return serve;
}
