import { createMesh, staticSource } from "@heddle/core";
import { countingTransport } from "../counting-transport.ts";
import { heapAfterGc } from "../heap.ts";
import { type Instances, instances } from "../instances.ts";
import { scenario } from "../scenario.ts";

export interface ChurnInput {
  readonly services: number;
  /** Of names: no service of one is in the next. */
  readonly generations: number;
  readonly endpoints: number;
  /** Of addresses of one service that stays. */
  readonly rollouts: number;
}

export interface ChurnSample {
  readonly bytes: number;
  readonly series: number;
  readonly reachableChannels: number;
}

export interface ChurnResult {
  readonly generations: readonly ChurnSample[];
  readonly rollouts: readonly ChurnSample[];
  readonly used: number;
  readonly opened: number;
  readonly closed: number;
  readonly instances: Instances;
  readonly isCountedInAll: boolean;
  /** Requests to the endpoints of the last rollout, as counted for each of them by name. */
  readonly countedOfLast: number;
}

function servicesOf(names: readonly string[]): object {
  const service = (index: number) => ({ endpoints: [{ address: `10.0.${index >> 8}.${index & 255}:80` }] });
  return { apiVersion: "heddle/v1", services: Object.fromEntries(names.map((name, index) => [name, service(index)])) };
}

function rolloutOf(rollout: number, count: number): object {
  const endpoints = Array.from({ length: count }, (_, index) => ({ address: `10.1.${rollout}.${index}:80` }));
  return { apiVersion: "heddle/v1", services: { pods: { endpoints, balancer: { policy: "round-robin" } } } };
}

await scenario(async ({ services, generations, endpoints, rollouts }: ChurnInput): Promise<ChurnResult> => {
  const transport = countingTransport();
  const config = staticSource(servicesOf(["first"]));
  const mesh = createMesh({ config, transport, onProblem: () => {} });
  await mesh.ready();
  let used = 0;
  const ask = async (authority: string): Promise<void> => {
    await mesh.send({ method: "GET", scheme: "http", authority, path: "/", headers: {}, body: null });
    used++;
  };
  const sample = async (): Promise<ChurnSample> => ({
    bytes: await heapAfterGc(),
    series: mesh.inspect().counters.length,
    reachableChannels: transport.reachable(),
  });
  const samplesOfServices = await inTurn(generations, async (generation) => {
    const names = Array.from({ length: services }, (_, index) => `service-${generation}-${index}`);
    config.update(servicesOf(names));
    for (const name of names) await ask(name);
    return sample();
  });
  const samplesOfRollouts = await inTurn(rollouts, async (rollout) => {
    config.update(rolloutOf(rollout, endpoints));
    for (let each = 0; each < endpoints; each++) await ask("pods");
    return sample();
  });
  const { counters } = mesh.inspect();
  const last = counters.filter(({ endpoint }) => endpoint.startsWith(`10.1.${rollouts - 1}.`));
  const result = {
    generations: samplesOfServices,
    rollouts: samplesOfRollouts,
    used,
    opened: transport.opened(),
    closed: transport.closed(),
    instances: instances(["BackendState", "EndpointState", "DataPlane"]),
    isCountedInAll: counters.reduce((sum, { count }) => sum + count, 0) === used,
    countedOfLast: last.reduce((sum, { count }) => sum + count, 0),
  };
  await mesh.close();
  return result;
});

async function inTurn(times: number, turn: (number: number) => Promise<ChurnSample>): Promise<ChurnSample[]> {
  const samples: ChurnSample[] = [];
  for (let number = 0; number < times; number++) samples.push(await turn(number));
  return samples;
}
