import type { handleServerStreamingCall, handleUnaryCall, Server, ServerWritableStream, ServiceDefinition } from "@grpc/grpc-js";
import { type DeadlineEntry, GrpcStatus } from "@heddle/core";
import { type HealthCheck, readinessOf, type Serving } from "@heddle/http";
import { kindOfMethod, servicesOf } from "./grpc-js-server.ts";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthListResponse,
  readCheckRequest,
  readListRequest,
  ServingStatus,
  type ServingStatusCode,
  writeCheckResponse,
  writeListResponse,
} from "./health-messages.ts";

export interface GrpcHealthOptions {
  /** Without which this process should get no calls, by name: all are asked each time. Default: none. */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
}

const SERVICE = "grpc.health.v1.Health";

/** How often watchers learn of what nobody tells: the mesh's own readiness, and checks. */
const LOOK_MS = 1_000;

/** `grpc.health.v1`, which says of the server and of each of its services whether they should get calls. */
export interface ServerHealth {
  /** A call of it, answered outside of every policy. */
  has(path: string): boolean;
  /** Something may be another: who watches is told. */
  changed(): void;
  /** Ends what watches, and leaves the server without it. */
  close(): void;
}

/** Null where the server has a health service of its own, which stays, behind the policies. */
export function serverHealth(serving: Serving, server: Server, options: GrpcHealthOptions): ServerHealth | null {
  const paths = new Set(Object.values(DEFINITION).map(({ path }) => path));
  for (const path of paths) if (kindOfMethod(server, path) !== null) return null;
  const readiness = readinessOf(serving.mesh, () => serving.isDraining, options.checks);
  const statusNow = async (): Promise<ServingStatusCode> => ((await readiness()).ok ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  const watches = new Watches(serving, server, statusNow);
  server.addService(DEFINITION, {
    Check: checkWith(server, statusNow),
    Watch: ((call) => watches.add(call)) satisfies handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse>,
    List: listWith(server, statusNow),
  });
  return {
    has: (path) => paths.has(path),
    changed: () => watches.look(),
    close() {
      watches.close();
      for (const path of paths) server.unregister(path);
    },
  };
}

type StatusNow = () => Promise<ServingStatusCode>;

function checkWith(server: Server, statusNow: StatusNow): handleUnaryCall<HealthCheckRequest, HealthCheckResponse> {
  return ({ request: { service } }, answer) => {
    if (!isKnown(server, service)) answer({ code: GrpcStatus.NOT_FOUND, details: `there is no service ${JSON.stringify(service)}` });
    else void statusNow().then((status) => answer(null, { status }));
  };
}

function listWith(server: Server, statusNow: StatusNow): handleUnaryCall<object, HealthListResponse> {
  return (_call, answer) =>
    void statusNow().then((status) => {
      const names = ["", ...servicesOf(server)];
      answer(null, { statuses: Object.fromEntries(names.map((name) => [name, { status }])) });
    });
}

function isKnown(server: Server, service: string): boolean {
  return service === "" || servicesOf(server).has(service);
}

type Watch = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** Who wants to be told of changes, each with what it was told last. */
class Watches {
  readonly #serving: Serving;
  readonly #server: Server;
  readonly #statusNow: StatusNow;
  readonly #told = new Map<Watch, ServingStatusCode | null>();
  #look: DeadlineEntry | null = null;
  #isClosed = false;

  constructor(serving: Serving, server: Server, statusNow: StatusNow) {
    this.#serving = serving;
    this.#server = server;
    this.#statusNow = statusNow;
  }

  add(watch: Watch): void {
    if (this.#isClosed) {
      watch.end();
      return;
    }
    this.#told.set(watch, null);
    watch.on("cancelled", () => this.#told.delete(watch));
    watch.on("error", () => this.#told.delete(watch));
    this.look();
  }

  look(): void {
    if (this.#look) this.#serving.mesh.deadlines.remove(this.#look);
    this.#look = null;
    if (this.#told.size === 0) return;
    void this.#statusNow().then((status) => {
      for (const watch of this.#told.keys()) this.#tell(watch, status);
    });
    this.#look = this.#serving.mesh.deadlines.add(LOOK_MS, () => this.look());
  }

  close(): void {
    this.#isClosed = true;
    if (this.#look) this.#serving.mesh.deadlines.remove(this.#look);
    for (const watch of [...this.#told.keys()]) watch.end();
    this.#told.clear();
  }

  #tell(watch: Watch, now: ServingStatusCode): void {
    // A service that is not there may come: the call goes on (grpc/health/v1/health.proto).
    const status = isKnown(this.#server, watch.request.service) ? now : ServingStatus.SERVICE_UNKNOWN;
    if (this.#told.get(watch) === status) return;
    this.#told.set(watch, status);
    watch.write({ status });
  }
}

const DEFINITION: ServiceDefinition = {
  Check: {
    path: `/${SERVICE}/Check`,
    requestStream: false,
    responseStream: false,
    requestDeserialize: readCheckRequest,
    requestSerialize: neverSent,
    responseSerialize: writeCheckResponse,
    responseDeserialize: neverSent,
  },
  Watch: {
    path: `/${SERVICE}/Watch`,
    requestStream: false,
    responseStream: true,
    requestDeserialize: readCheckRequest,
    requestSerialize: neverSent,
    responseSerialize: writeCheckResponse,
    responseDeserialize: neverSent,
  },
  List: {
    path: `/${SERVICE}/List`,
    requestStream: false,
    responseStream: false,
    requestDeserialize: readListRequest,
    requestSerialize: neverSent,
    responseSerialize: writeListResponse,
    responseDeserialize: neverSent,
  },
};

function neverSent(): never {
  throw new TypeError("a server does not call its own health service");
}
