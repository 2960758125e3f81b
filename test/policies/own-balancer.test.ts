import type { Candidate, CustomBalancer, ExtensionOptions } from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import { expect, test } from "vitest";

const ADDRESSES = ["127.0.0.1:9081", "127.0.0.1:9082", "127.0.0.1:9083"] as const;
const [ONE, TWO, THREE] = ADDRESSES;

function document(more: object = {}): object {
  const endpoints = [
    { address: ONE, labels: { lane: "blue" } },
    { address: TWO, labels: { lane: "green" }, weight: 3 },
    { address: THREE },
  ];
  return { apiVersion: "heddle/v1", services: { reviews: { endpoints, ...more } } };
}

function meshWith(given: ExtensionOptions, more: object = {}): TestMesh {
  return testMesh({ config: document(more), ...given });
}

async function calls(t: TestMesh, count: number, headers: Record<string, string> = {}): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  for (let call = 0; call < count; call++) {
    const reply = t.request("http://reviews/", { headers }).then(
      ({ status }) => status,
      (error: unknown) => error,
    );
    await t.advance("1s");
    results.push(await reply);
  }
  return results;
}

const endpoints = (t: TestMesh): readonly string[] => t.attempts().map(({ endpoint }) => endpoint);

test("an endpoint filter sees the request and every endpoint, and decides where its tries may go", async () => {
  const seen: object[] = [];
  await using t = meshWith({
    endpointFilters: {
      reviews(request, all) {
        seen.push(all.map(({ address, labels, weight, inFlight, latencyMs }) => ({ address, labels, weight, inFlight, latencyMs })));
        return all.filter(({ labels }) => labels.lane === request.headers["x-lane"]);
      },
    },
  });
  expect(await calls(t, 5, { "x-lane": "green" })).toEqual([200, 200, 200, 200, 200]);
  expect(new Set(endpoints(t))).toEqual(new Set([TWO]));
  expect(seen[0]).toEqual([
    { address: ONE, labels: { lane: "blue" }, weight: 1, inFlight: 0, latencyMs: null },
    { address: TWO, labels: { lane: "green" }, weight: 3, inFlight: 0, latencyMs: null },
    { address: THREE, labels: {}, weight: 1, inFlight: 0, latencyMs: null },
  ]);
});

test("a filter is asked before each try, and what it leaves to a retry is another endpoint where there is one", async () => {
  await using t = meshWith({ endpointFilters: { reviews: (_request, all) => all.slice(0, 2) } }, { retry: { maxRetries: 2 } });
  for (const address of ADDRESSES) t.endpoint(address).respond({ status: 503 });
  await calls(t, 1);
  expect(endpoints(t).slice(0, 2).sort()).toEqual([ONE, TWO]);
  expect(endpoints(t)).not.toContain(THREE);
});

test("a filter that lets nothing pass is no_endpoint, and says that it was the filter", async () => {
  await using t = meshWith({ endpointFilters: { reviews: () => [] } });
  expect(await calls(t, 1)).toMatchObject([
    { code: "no_endpoint", message: expect.stringContaining("reviews: its endpoint filter lets it go to none of 3") },
  ]);
});

test.each<[string, () => unknown]>([
  [
    "throws",
    () => {
      throw new Error("mistake");
    },
  ],
  ["gives no array", () => undefined],
  ["gives what it was not given", () => [{ address: ONE }]],
])("where a filter %s nothing is sent: it may be there to keep requests from some endpoints", async (_what, filter) => {
  await using t = meshWith({ endpointFilters: { reviews: filter as never } });
  expect(await calls(t, 1)).toMatchObject([{ code: "extension_failed" }]);
  expect(ADDRESSES.flatMap((address) => t.endpoint(address).requests)).toEqual([]);
});

test("a filter for a service that nobody defines is told, with the nearest", async () => {
  await using t = meshWith({ endpointFilters: { review: (_request, all) => all } });
  expect(t.problems).toMatchObject([{ severity: "warning", message: 'no service is called "review"; did you mean "reviews"?' }]);
});

const CUSTOM = { balancer: { policy: "custom:mine" }, outlier: "off" };

test("a balancer of the application's own picks, and is told how it went", async () => {
  const told: string[] = [];
  const balancer: CustomBalancer = {
    pick: (candidates) => candidates.find(({ weight }) => weight === 3) ?? (candidates[0] as Candidate),
    succeeded: ({ address }, elapsedMs) => told.push(`${address} answered after ${elapsedMs}`),
    failed: ({ address }) => told.push(`${address} failed`),
  };
  await using t = meshWith({ balancers: { mine: () => balancer } }, CUSTOM);
  t.endpoint(TWO).latency("20ms").respond({ status: 500 }).times(1);
  expect(await calls(t, 2)).toEqual([500, 200]);
  expect(endpoints(t)).toEqual([TWO, TWO]);
  expect(told).toEqual([`${TWO} failed`, `${TWO} answered after 20`]);
  expect(t.mesh.inspect().backends).toMatchObject([{ balancer: "custom:mine", endpoints: [{}, { latencyMs: 20 }, {}] }]);
});

test("it sees what was tried, the same array while nothing changes, and the mesh's own random", async () => {
  const tried: (readonly string[])[] = [];
  const arrays = new Set<unknown>();
  let drawn = 0;
  const balancers = {
    mine: (random: () => number): CustomBalancer => {
      drawn = random();
      return {
        pick(candidates, before) {
          arrays.add(candidates);
          tried.push(before);
          return candidates.find(({ address }) => !before.includes(address)) as Candidate;
        },
      };
    },
  };
  await using t = meshWith({ balancers }, { ...CUSTOM, retry: { maxRetries: 1 } });
  t.endpoint(ONE).respond({ status: 503 });
  await calls(t, 2);
  expect(tried).toEqual([[], [ONE], [], [ONE]]);
  expect(arrays.size).toBe(1);
  expect(drawn).toBeGreaterThan(0);
});

test.each<[string, () => unknown]>([
  ["factory throws", () => raise()],
  ["factory gives no balancer", () => ({})],
  ["pick throws", () => ({ pick: raise })],
  ["pick gives nothing", () => ({ pick: () => undefined })],
  ["pick gives what it was not offered", () => ({ pick: () => ({ address: ONE }) })],
])("where its %s the endpoint is picked at random, and that is told once", async (_what, factory) => {
  await using t = meshWith({ balancers: { mine: factory as never } }, CUSTOM);
  expect(new Set(await calls(t, 30))).toEqual(new Set([200]));
  expect(new Set(endpoints(t)).size).toBe(3);
  expect(t.problems).toMatchObject([{ where: "balancer custom:mine", severity: "error" }]);
});

function raise(): never {
  throw new Error("mistake");
}

test("a callback that throws costs its balancer nothing but that", async () => {
  const balancer: CustomBalancer = { pick: ([first]) => first as Candidate, succeeded: raise, failed: raise };
  await using t = meshWith({ balancers: { mine: () => balancer } }, CUSTOM);
  expect(await calls(t, 3)).toEqual([200, 200, 200]);
  expect(new Set(endpoints(t))).toEqual(new Set([ONE]));
  expect(t.problems).toHaveLength(1);
});

test("an endpoint that is being probed is not offered while there are others", async () => {
  const offered: string[][] = [];
  const balancer: CustomBalancer = {
    pick(candidates) {
      offered.push(candidates.map(({ address }) => address));
      return candidates[0] as Candidate;
    },
  };
  await using t = meshWith({ balancers: { mine: () => balancer } }, { ...CUSTOM, outlier: { consecutiveFailures: 1, baseEjection: "1s" } });
  t.endpoint(ONE).respond({ status: 500 }).times(1);
  await calls(t, 1);
  t.endpoint(ONE).hang();
  await t.advance("1s");
  const probe = t.request("http://reviews/");
  await t.advance(0);
  const other = t.request("http://reviews/");
  await t.advance(0);
  expect((await other).status).toBe(200);
  expect(offered.at(-1)).toEqual([TWO, THREE]);
  probe.catch(() => {});
});

test("a name that the code does not give is a mistake in the document", async () => {
  await using t = meshWith({ balancers: { mine: () => ({ pick: ([first]) => first as Candidate }) } });
  const updated = (policy: string) => () => t.update(document({ balancer: { policy } }));
  expect(updated("custom:mien")).toThrow('the balancer "custom:mien" is not known: balancers has mine; did you mean "mine"?');
  expect(updated("custom:")).toThrow("custom:<name>");
  expect(() => meshWith({}, CUSTOM)).toThrow("the code gives no balancers");
  expect(await calls(t, 1)).toEqual([200]);
});
