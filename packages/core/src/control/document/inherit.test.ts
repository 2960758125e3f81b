import { expect, test } from "vitest";
import { DEFAULT_FAILURE, DEFAULT_LIMITS, DEFAULT_OUTLIER, DEFAULT_RETRY, UNLIMITED } from "../../model/defaults.ts";
import type { MeshSnapshot } from "../../model/snapshot.ts";
import { loadDocument } from "./load.ts";

function snapshotOf(services: object, top: object = {}): MeshSnapshot {
  const { snapshot, problems } = loadDocument({ apiVersion: "heddle/v1", services, ...top }, "static");
  if (!snapshot) throw new Error(problems.map(({ where, message }) => `${where}: ${message}`).join("\n"));
  return snapshot;
}

const routesOf = (snapshot: MeshSnapshot) => snapshot.virtualHosts[0]?.routes ?? [];

test("defaults hold for every service, and a key given there replaces them as a whole", () => {
  const defaults = { timeout: { total: "10s", head: "5s" }, retry: { maxRetries: 1 }, breaker: {}, limits: { maxRequests: 5 } };
  const snapshot = snapshotOf({ own: { timeout: "2s", retry: { on: [503] }, breaker: "off" }, plain: {} }, { defaults });
  const [own, plain] = snapshot.virtualHosts.map(({ routes }) => routes[0]);
  expect(own).toMatchObject({ timeout: { totalMs: 2_000, headMs: null }, retry: { ...DEFAULT_RETRY, on: [503] } });
  expect(plain).toMatchObject({ timeout: { totalMs: 10_000, headMs: 5_000, sparesStreams: false }, retry: { maxRetries: 1 } });
  expect(snapshot.backends.get("own")).toMatchObject({ breaker: null, limits: { maxRequests: 5 } });
  expect(snapshot.backends.get("plain")).toMatchObject({ breaker: { consecutiveFailures: 5 } });
});

test("named policies win over defaults, a later one over an earlier, and own words over both", () => {
  const top = {
    defaults: { timeout: "1s", retry: {} },
    policies: { slow: { timeout: "60s", connectTimeout: "9s" }, fast: { timeout: "5s" } },
  };
  const routes = [
    { match: { path: { exact: "/a" } } },
    { match: { path: { exact: "/b" } }, use: "fast" },
    { match: { path: { exact: "/c" } }, use: ["fast"], timeout: "off" },
  ];
  const snapshot = snapshotOf({ web: { use: ["fast", "slow"], routes } }, top);
  expect(routesOf(snapshot).map(({ timeout }) => timeout?.totalMs ?? null)).toEqual([60_000, 5_000, null]);
  expect(routesOf(snapshot).map(({ retry }) => retry)).toEqual([DEFAULT_RETRY, DEFAULT_RETRY, DEFAULT_RETRY]);
  expect(snapshot.backends.get("web")?.connectTimeoutMs).toBe(9_000);
});

test("off removes what was inherited, for every policy", () => {
  const answer = { on: [503], respond: { status: 200 } };
  const inherited = {
    timeout: "1s",
    retry: {},
    limits: { maxRequests: 1 },
    breaker: {},
    outlier: { consecutiveFailures: 1 },
    failure: { statuses: [429] },
    whenEmpty: { wait: "1s" },
    fault: { abort: { status: 500 } },
    mirror: { service: "other" },
    fallback: answer,
    balancer: { policy: "random" },
  };
  const off = Object.fromEntries(Object.keys(inherited).map((name) => [name, "off"]));
  const snapshot = snapshotOf({ web: off, other: { mirror: "off" } }, { defaults: inherited });
  expect(routesOf(snapshot)[0]).toMatchObject({ timeout: null, retry: "off", fault: null, mirrors: [], fallback: null });
  const web = {
    limits: UNLIMITED,
    breaker: null,
    outlier: null,
    failure: DEFAULT_FAILURE,
    emptyWaitMs: 0,
    balancer: { policy: "peak-ewma" },
  };
  expect(snapshot.backends.get("web")).toMatchObject(web);
  expect(snapshot.backends.get("other")).toMatchObject({ limits: { maxRequests: 1 }, emptyWaitMs: 1_000, balancer: { policy: "random" } });
  expect(DEFAULT_LIMITS).not.toEqual(UNLIMITED);
  expect(DEFAULT_OUTLIER.consecutiveFailures).not.toBe(1);
});

test("a route takes over the service's fault, mirror and fallback, or has its own", () => {
  const web = {
    fault: { delay: { duration: "1s", percent: 0.5 }, headers: true },
    mirror: [{ service: "other", percent: 0.0001 }],
    fallback: { on: ["5xx"], service: "other" },
    routes: [
      { match: { path: { exact: "/a" } } },
      { fault: "off", mirror: "off", fallback: { on: [404], respond: { status: 200, json: 1 } } },
    ],
  };
  const [takes, has] = routesOf(snapshotOf({ web, other: {} }));
  expect(takes).toMatchObject({
    fault: { delay: { fraction: { numerator: 50, denominator: 10_000 }, durationMs: 1_000 }, abort: null, byHeader: true },
    mirrors: [{ backend: "other", fraction: { numerator: 1, denominator: 1_000_000 } }],
    fallback: { on: ["5xx"], action: { kind: "forward", backend: "other" } },
  });
  expect(has).toMatchObject({ fault: null, mirrors: [], fallback: { on: [404], action: { kind: "respond", status: 200, body: "1" } } });
});

test("every effective value says where it was written", () => {
  const text = [
    "apiVersion: heddle/v1",
    "defaults: { timeout: 10s, breaker: {} }",
    "policies:",
    "  llm: { retry: off }",
    "services:",
    "  web:",
    "    use: llm",
    "    endpoints: [{ address: 'a:1', labels: { v: '1' } }]",
    "    subsets:",
    "      v1: { labels: { v: '1' }, breaker: off }",
    "    routes:",
    "      - fault: { abort: { status: 500 } }",
  ].join("\n");
  const { snapshot } = loadDocument(text, "mesh.yaml");
  expect(snapshot?.virtualHosts[0]?.routes[0]?.policyFrom).toEqual({
    timeout: "mesh.yaml:2:13 (defaults.timeout)",
    retry: "mesh.yaml:4:10 (policies.llm.retry)",
    fault: "mesh.yaml:12:9 (services.web.routes[0].fault)",
  });
  expect(snapshot?.backends.get("web")?.policyFrom).toEqual({ breaker: "mesh.yaml:2:27 (defaults.breaker)" });
  expect(snapshot?.backends.get("web/v1")?.policyFrom).toEqual({ breaker: "mesh.yaml:10:33 (services.web.subsets.v1.breaker)" });
});
