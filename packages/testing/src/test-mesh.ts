import {
  type AccessLogOptions,
  type CertificateSource,
  type ControlSource,
  checkKeys,
  createMesh,
  type Duration,
  durationMs,
  EXTENSION_OPTIONS,
  type ExplainInboundRequest,
  type ExplainRequest,
  type Explanation,
  type ExtensionOptions,
  type InboundExplanation,
  type InboundPolicy,
  isControlSource,
  type Mesh,
  MeshError,
  type MeshSnapshot,
  type Problem,
  type Report,
  type Resolve,
  seededRandom,
  type Transport,
} from "@heddle/core";
import { type AttemptRecord, CallRecords } from "./call-records.ts";
import { describeService, type ServiceDescription } from "./described-service.ts";
import type { FakeEndpoint } from "./fake-endpoint.ts";
import { fakeResolve } from "./fake-resolve.ts";
import type { FakeTransport } from "./fake-transport.ts";
import type { FakeGrpcEndpoint } from "./grpc/fake-grpc-endpoint.ts";
import type { FakeGrpcTransport } from "./grpc/fake-grpc-transport.ts";
import { type TestFetch, testFetch } from "./test-fetch.ts";
import { fakeTransports, type TestGrpc, type TestGrpcClientOptions, testGrpc, testGrpcOptions } from "./test-grpc.ts";
import { type TestInbound, testInbound } from "./test-inbound.ts";
import { type TestRequest, testRequest } from "./test-request.ts";
import { TestSource } from "./test-source.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

export interface TestMeshOptions extends ExtensionOptions {
  /** A document as an object, a snapshot, the path of a YAML or JSON document (read once), or a control source. */
  readonly config: string | object | ControlSource;
  /** Who this mesh is. Default: client only. */
  readonly service?: string;
  /** Where the document demands mutual TLS: who this mesh is, such as `testAuthority({ clock: virtualClock() }).source("checkout")` of `@heddle/testing/authority`. The fake endpoints present none. */
  readonly identity?: CertificateSource;
  /** The same seed gives the same decisions. Default 1. */
  readonly seed?: number;
  /** What `dns` endpoints resolve to; the first answers are there after `advance(0)`. Default: no name exists. */
  readonly resolve?: Resolve;
  /** One line a request, as on the mesh; give a `logger` to see them. Default: off. */
  readonly accessLog?: AccessLogOptions | boolean;
}

/** A whole mesh in virtual time over a fake transport: the real policies, no network, no waiting. */
export interface TestMesh extends AsyncDisposable {
  /** WHATWG fetch: rejects with TypeError whose cause is the MeshError. A host that no service claims is an error. */
  readonly fetch: TestFetch;
  /** The fast front door: rejects with the MeshError. */
  readonly request: TestRequest;
  /** A generated client of `@grpc/grpc-js` for one service. Its deadlines are in virtual time: `t.clock.wallTime() + 500`. */
  readonly grpc: TestGrpc;
  /** For code that makes its clients itself, as `mesh.grpcOptions()`. */
  grpcOptions(): TestGrpcClientOptions;
  /** Runs a function under the policies of a resource, in virtual time. */
  readonly protect: Mesh["protect"];
  /** The handle of an address; without a script it answers 200 `{}`. Throws TypeError for one that the document neither has nor had. */
  endpoint(address: string): FakeEndpoint;
  /** The handle of an address of a service with `protocol: grpc`; without a script it sends every message back. */
  grpcEndpoint(address: string): FakeGrpcEndpoint;
  /** Lets time pass; returns when nothing is left to run up to then. */
  advance(duration: Duration): Promise<void>;
  /** Every try so far, of one service or all, in the order they began. */
  attempts(service?: string): readonly AttemptRecord[];
  /** What happened, call by call with its tries, as text that is the same in every run. */
  timeline(service?: string): string;
  /** The policy in force for a service, with every default, and its state. */
  describe(service: string): ServiceDescription;
  /** Puts another configuration in force. Throws `invalid_config` with every mistake; what was in force then stays. */
  update(configuration: object): void;
  explain(request: ExplainRequest): Explanation;
  /** Sends a request in, through the real inbound layers, to an application that the test gives. */
  readonly inbound: TestInbound;
  /** Whether the service of this mesh would serve a request, and every reason. */
  explainInbound(request: ExplainInboundRequest): InboundExplanation;
  /** What happened to the call that gave this reply or error. */
  report(reply: unknown): Report | undefined;
  /** Everything that was reported, warnings too. */
  readonly problems: readonly Problem[];
  readonly mesh: Mesh;
  readonly clock: VirtualClock;
  readonly transport: FakeTransport;
  readonly grpcTransport: FakeGrpcTransport;
  /** Closes the mesh, letting the time pass that this takes. Default: cuts what is in flight. Afterwards no timer is left. */
  close(options?: { readonly drain?: Duration; readonly limit?: Duration }): Promise<void>;
}

/** Throws `invalid_config` with every mistake of the document, and `not_ready` for a service that it does not define. */
export function testMesh(options: TestMeshOptions): TestMesh {
  checkKeys(options, ["config", "service", "identity", "seed", "resolve", "accessLog", ...EXTENSION_OPTIONS], "testMesh");
  const { config, seed = 1, resolve = fakeResolve(), ...given } = options;
  if (config === undefined) throw new TypeError("testMesh: `config` is missing: give a document, a snapshot, a path or a source");
  const clock = virtualClock();
  const random = seededRandom(seed);
  const transports = fakeTransports({ clock, random: seededRandom(seed + 1), asksIdentity: options.identity !== undefined });
  const records = new CallRecords(clock);
  const source = new TestSource(config, clock);
  const problems: Problem[] = [];
  let inForce: MeshSnapshot | null = null;
  const mesh = createMesh({
    ...given,
    config: source,
    transport: recorded(transports, records),
    clock,
    random,
    resolve,
    onProblem(problem) {
      problems.push(problem);
      source.note(problem);
    },
    onChange() {
      inForce = source.told;
    },
  });
  if (!isControlSource(config)) assertUsable(mesh, source);
  const observe: CallRecords["begin"] = (call, context, response) => records.begin(call, context, response);
  return {
    fetch: testFetch(mesh, observe),
    request: testRequest(mesh, observe),
    grpc: testGrpc(mesh),
    grpcOptions: () => testGrpcOptions(mesh),
    protect: (resource, run, protectOptions) => mesh.protect(resource, run, protectOptions),
    endpoint: (address) => transports.http.endpoint(source.addresses.checked(address, "endpoint")),
    grpcEndpoint: (address) => transports.grpc.endpoint(source.addresses.checked(address, "grpcEndpoint")),
    advance: (duration) => clock.advance(duration),
    attempts: (service) => records.attempts(service),
    timeline: (service) => records.timeline(service),
    describe(service) {
      if (!inForce) throw new MeshError("not_ready", `describe: ${source.name} has not told a configuration yet`);
      return describeService(service, inForce, mesh);
    },
    update(configuration) {
      source.update(configuration);
      source.refuse(mesh.inspect().sources.some(({ state }) => state === "failing"));
    },
    explain: (request) => mesh.explain(request),
    inbound: testInbound(mesh, { policy: () => inboundPolicyOf(inForce, mesh), asksIdentity: options.identity !== undefined }),
    explainInbound: (request) => mesh.explainInbound(request),
    report: (reply) => mesh.report(reply),
    problems,
    mesh,
    clock,
    transport: transports.http,
    grpcTransport: transports.grpc,
    close: (closeOptions) => close(mesh, clock, closeOptions),
    [Symbol.asyncDispose]: () => close(mesh, clock),
  };
}

function inboundPolicyOf(inForce: MeshSnapshot | null, { serviceName }: Mesh): InboundPolicy | null {
  return (serviceName !== undefined && inForce?.inboundPolicies.get(serviceName)) || null;
}

function assertUsable(mesh: Mesh, source: TestSource): void {
  try {
    source.refuse();
    const { ok, because } = mesh.health();
    const { revision, sources } = mesh.inspect();
    const awaitsNames = revision === 0 && sources.every(({ state }) => state === "ok");
    if (!ok && !awaitsNames) throw new MeshError("not_ready", because.join("; "));
  } catch (error) {
    void mesh.close({ limit: 0 });
    throw error;
  }
}

/** Calls that come through other front doors are seen where they leave. */
function recorded(transport: Transport, records: CallRecords): Transport {
  return {
    open(settings) {
      const channel = transport.open(settings);
      return {
        send(request) {
          records.see(request.context, `${request.method} ${request.scheme}://${request.authority}${request.path}`);
          return channel.send(request);
        },
        connections: () => channel.connections(),
        ...(channel.connectivity && { connectivity: channel.connectivity }),
        close: () => channel.close(),
        destroy: (reason) => channel.destroy(reason),
      };
    },
  };
}

const NO_TIME = { limit: 0 };

async function close(
  mesh: Mesh,
  clock: VirtualClock,
  options: { readonly drain?: Duration; readonly limit?: Duration } = NO_TIME,
): Promise<void> {
  const closed = mesh.close(options);
  await clock.advance(durationMs(options.drain ?? 0, "drain"));
  await clock.advance(durationMs(options.limit ?? "10s", "limit"));
  await closed;
}
