import { createMesh, type Layer, type Mesh, type MeshOptions, type RequestInit, staticSource, type UserLayer } from "@heddle/core";
import { stubTransport } from "../../variants/stub-transport.ts";
import { startTracing } from "../../variants/tracing.ts";
import type { OpenProbe } from "../probe.ts";
import { address, documentOf, endpoints, SERVICE, snapshotOf, withEndpoints } from "./generated.ts";
import { get, microsPerRequest, onProblem } from "./mesh-slot.ts";

export interface StubParameters {
  readonly concurrency?: number;
  /** Of the service that is called. */
  readonly endpoints?: number;
  /** Services beside it, three endpoints each. */
  readonly services?: number;
  /** Call every service in turn rather than one. */
  readonly callsAll?: boolean;
  /** What the service's document says beside its endpoints. */
  readonly service?: object;
  /** User layers that do nothing, where they stand. */
  readonly layers?: readonly UserLayer["at"][];
  readonly accessLog?: boolean;
  /** With an OpenTelemetry SDK that samples nothing. */
  readonly tracing?: boolean;
}

const DEFAULT_CONCURRENCY = 32;

/** The path of a request through `mesh.send`, the stub, and back, in a mesh of a given size with given policies. */
export const open: OpenProbe<StubParameters> = async ({ parameters }) => {
  const stopTracing = parameters.tracing === true ? startTracing(false) : async () => {};
  const { mesh, requests } = await startMesh(parameters);
  const concurrency = parameters.concurrency ?? DEFAULT_CONCURRENCY;
  return {
    async round(durationMs) {
      return { request: await microsPerRequest(mesh, requests, { concurrency, durationMs }) };
    },
    async close() {
      await mesh.close();
      await stopTracing();
    },
  };
};

async function startMesh(parameters: StubParameters): Promise<{ readonly mesh: Mesh; readonly requests: readonly RequestInit[] }> {
  const count = parameters.endpoints ?? 3;
  const { services, names } = documentServices(parameters);
  const snapshot = withEndpoints(snapshotOf({ apiVersion: "heddle/v1", services }), endpoints(count));
  // Every endpoint is asked once before anything is measured: the first request of each opens its channel.
  const visiting = snapshotOf({ apiVersion: "heddle/v1", services: { ...services, ...visitAll(parameters) } });
  const source = staticSource(withEndpoints(visiting, endpoints(count)));
  const mesh = createMesh({ config: source, transport: stubTransport(), onProblem, ...optionsOf(parameters) });
  await mesh.ready();
  for (let visit = 0; visit < count; visit++) await mesh.send(get(SERVICE, "/api/visit"));
  source.update(snapshot);
  return { mesh, requests: names.map((name) => get(name, "/api/7")) };
}

/** The service as measured, but in turn over its endpoints; a balancer is no part of an endpoint's state. */
function visitAll({ service }: StubParameters): object {
  return (documentOf({ ...service, balancer: { policy: "round-robin" } }) as { readonly services: object }).services;
}

function documentServices({ service, services: others = 0, callsAll }: StubParameters): { services: object; names: readonly string[] } {
  const { services } = documentOf(service) as { readonly services: Record<string, object> };
  const names = Array.from({ length: others }, (_, number) => `service-${number}`);
  for (const [number, name] of names.entries()) {
    services[name] = { endpoints: [0, 1, 2].map((endpoint) => ({ address: address(number * 3 + endpoint, 9_090) })) };
  }
  return { services, names: callsAll === true ? [SERVICE, ...names] : [SERVICE] };
}

function optionsOf({ layers = [], accessLog = false }: StubParameters): Partial<MeshOptions> {
  const nothing: Layer = (next) => (request) => next(request);
  let lines = 0;
  return {
    layers: layers.map((at) => ({ at, layer: nothing })),
    // What becomes of a line is the logger's doing: this one counts.
    accessLog: accessLog && { logger: { info: () => lines++ } },
  };
}
