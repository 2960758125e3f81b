import "../live-timers.ts";
import { createMesh, type StaticConfiguration, staticSource } from "@heddle/core";
import { httpTransport, meshRequest, type RequestFunction } from "@heddle/http";
import { heapAfterGc } from "../heap.ts";
import { type Instances, instances } from "../instances.ts";
import { type OpenResources, openResources } from "../open-resources.ts";
import { scenario, until } from "../scenario.ts";
import { skippingClock } from "../skipping-clock.ts";

export interface ManyServicesInput {
  /** One for each service that is to be used. */
  readonly addresses: readonly string[];
  readonly services: number;
  readonly usedFirst: number;
}

export interface Held {
  readonly bytes: number;
  readonly instances: Instances;
  readonly open: OpenResources;
  /** As `inspect()` tells. */
  readonly backends: number;
  readonly series: number;
}

export interface ManyServicesResult {
  readonly empty: Held;
  readonly known: Held;
  readonly usedFew: Held;
  readonly usedMany: Held;
  /** After more idle time than a channel may have. */
  readonly idle: Held;
  /** One of them works as before. */
  readonly statusAfterIdle: number;
}

const CONCURRENCY = 50;
const IDLE_MS = 6 * 60_000;

function documentOf({ addresses, services }: ManyServicesInput): StaticConfiguration {
  const endpoint = (index: number) => ({ address: addresses[index] ?? `10.${(index >> 8) & 255}.${index & 255}.1:80` });
  return {
    apiVersion: "heddle/v1",
    services: Object.fromEntries(Array.from({ length: services }, (_, index) => [`service-${index}`, { endpoints: [endpoint(index)] }])),
  };
}

async function use(request: RequestFunction, from: number, to: number): Promise<void> {
  let next = from;
  const caller = async () => {
    while (next < to) await (await request(`http://service-${next++}/`)).text();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
}

await scenario(async (input: ManyServicesInput): Promise<ManyServicesResult> => {
  const clock = skippingClock();
  const config = staticSource({ apiVersion: "heddle/v1", services: { one: { endpoints: [{ address: "10.0.0.1:80" }] } } });
  const mesh = createMesh({ config, transport: httpTransport(), clock });
  const request = meshRequest(mesh);
  await mesh.ready();
  const held = async (): Promise<Held> => {
    const bytes = await heapAfterGc();
    const { backends, counters } = mesh.inspect();
    return {
      bytes,
      instances: instances(["Pool", "BackendState", "EndpointState"]),
      open: openResources(),
      backends: backends.length,
      series: counters.length,
    };
  };
  const noConnection = () =>
    until(
      () => mesh.inspect().backends.flatMap(({ endpoints }) => endpoints.filter(({ connections }) => connections > 0)).length,
      (count) => count === 0,
    );

  const empty = await held();
  config.update(documentOf(input));
  const known = await held();
  await use(request, 0, input.usedFirst);
  await noConnection();
  const usedFew = await held();
  await use(request, 0, input.addresses.length);
  const usedMany = await held();
  await noConnection();
  clock.skip(IDLE_MS);
  clock.skip(IDLE_MS);
  const idle = await held();
  const reply = await request("http://service-0/");
  await reply.text();
  await mesh.close();
  return { empty, known, usedFew, usedMany, idle, statusAfterIdle: reply.status };
});
