import { expect, test } from "vitest";
import { DEFAULT_LIMITS, DEFAULT_OUTLIER, DEFAULT_RETRY, DEFAULT_RETRY_BUDGET } from "../../model/defaults.ts";
import type { MeshSnapshot } from "../../model/snapshot.ts";
import { loadDocument } from "./load.ts";

function snapshotOf(services: object, mesh: object = {}): MeshSnapshot {
  const { snapshot, problems } = loadDocument({ apiVersion: "heddle/v1", mesh, services }, "static");
  if (!snapshot) throw new Error(problems.map(({ where, message }) => `${where}: ${message}`).join("\n"));
  return snapshot;
}

const routesOf = (service: object) => snapshotOf({ web: service }).virtualHosts[0]?.routes ?? [];

test("a service with nothing in it is a host with one route to a backend without endpoints, under the defaults", () => {
  const snapshot = snapshotOf({ Web: {} });
  expect(snapshot.virtualHosts).toMatchObject([
    {
      name: "Web",
      authorities: ["web"],
      routes: [
        { name: "default", action: { kind: "forward", to: [{ backend: "Web", weight: 1 }] }, timeout: null, retry: null, origin: "static" },
      ],
    },
  ]);
  expect(snapshot.backends.get("Web")).toMatchObject({
    endpointSet: "Web",
    subset: null,
    selector: {},
    protocol: "http1",
    tls: { mode: "automatic", identities: [], subjectAltNames: [], authorities: { kind: "system" }, sni: null },
    connectTimeoutMs: 2_000,
    balancer: { policy: "peak-ewma" },
    limits: DEFAULT_LIMITS,
    breaker: null,
    outlier: DEFAULT_OUTLIER,
    retryBudget: DEFAULT_RETRY_BUDGET,
  });
  expect(snapshot.endpointSets.get("Web")?.endpoints).toEqual([]);
  expect(snapshot.inboundPolicies.get("Web")).toEqual({
    service: "Web",
    mtls: "automatic",
    trustHeaders: false,
    trustedPeers: [],
    jwt: [],
    authorization: null,
    layers: [],
    origin: "static",
  });
  expect(snapshot).toMatchObject({ egress: "allow", enumeratesServices: true });
});

test("each subset is a backend over the same endpoints, with the service's policies unless it has its own", () => {
  const snapshot = snapshotOf({
    web: {
      endpoints: [{ address: "Host:1", labels: { v: "1" }, weight: 3 }],
      breaker: { consecutiveFailures: 2, failurePercent: "off" },
      outlier: "off",
      subsets: { v1: { labels: { v: "1" }, outlier: {}, breaker: "off" } },
    },
  });
  expect(snapshot.backends.get("web")).toMatchObject({
    breaker: { consecutiveFailures: 2, failurePercent: null, minRequests: 20 },
    outlier: null,
  });
  expect(snapshot.backends.get("web/v1")).toMatchObject({
    service: "web",
    subset: "v1",
    endpointSet: "web",
    selector: { v: "1" },
    breaker: null,
    outlier: DEFAULT_OUTLIER,
  });
  expect(snapshot.endpointSets.get("web")?.endpoints).toMatchObject([{ address: "host:1", labels: { v: "1" }, weight: 3 }]);
});

test("a route's timeout and retry replace the service's as a whole", () => {
  const [inherits, own, off] = routesOf({
    timeout: "2s",
    retry: { maxRetries: 5, budget: { percent: 7 } },
    routes: [
      { match: { methods: ["GET"] } },
      { match: { methods: ["PUT"] }, timeout: { total: 300 }, retry: {} },
      { timeout: "off", retry: "off" },
    ],
  });
  expect(inherits).toMatchObject({ name: "web/0", timeout: { totalMs: 2_000 }, retry: { ...DEFAULT_RETRY, maxRetries: 5 } });
  expect(own).toMatchObject({ name: "web/1", timeout: { totalMs: 300 }, retry: DEFAULT_RETRY });
  expect(off).toMatchObject({ name: "web/2", timeout: null, retry: "off" });
});

test("the budget of a service holds for its subsets", () => {
  const snapshot = snapshotOf({
    web: {
      retry: { budget: { percent: 7 } },
      endpoints: [{ address: "a:1", labels: { v: "1" } }],
      subsets: { v1: { labels: { v: "1" } } },
    },
  });
  expect(snapshot.backends.get("web/v1")?.retryBudget).toEqual({ percent: 7, minPerSecond: 1 });
});

test("a destination is a service's backend or a subset's, never its routes", () => {
  const [route] =
    snapshotOf({
      web: { routes: [{ to: [{ service: "other", subset: "v1", weight: 9 }, { weight: 0 }, { service: "other" }] }] },
      other: {
        endpoints: [{ address: "a:1", labels: { v: "1" } }],
        subsets: { v1: { labels: { v: "1" } } },
        routes: [{ respond: { status: 500 } }],
      },
    }).virtualHosts[0]?.routes ?? [];
  expect(route?.action).toMatchObject({
    kind: "forward",
    to: [
      { backend: "other/v1", weight: 9 },
      { backend: "web", weight: 0 },
      { backend: "other", weight: 1 },
    ],
  });
});

test("matches and header operations keep what was written, with names in lower case", () => {
  const [route] = routesOf({
    routes: [
      {
        match: {
          path: { suffix: ".html", not: true },
          methods: ["GET", "HEAD"],
          headers: { "X-User": { regex: "a+", ignoreCase: true }, b: { present: true, not: true } },
          query: { Q: { prefix: "x" } },
          authority: { exact: "web" },
        },
        headers: { request: { set: { "X-A": "1" }, remove: ["X-B"] }, response: {} },
        rewrite: { authority: "other:80" },
      },
    ],
  });
  expect(route?.match).toEqual({
    authority: { kind: "exact", value: "web", ignoreCase: false, not: false },
    path: { kind: "suffix", value: ".html", ignoreCase: false, not: true },
    method: { methods: ["GET", "HEAD"], not: false },
    headers: [
      { name: "x-user", match: { kind: "regex", value: "a+", ignoreCase: true, not: false } },
      { name: "b", match: { kind: "present", value: "", ignoreCase: false, not: true } },
    ],
    query: [{ name: "Q", match: { kind: "prefix", value: "x", ignoreCase: false, not: false } }],
    fraction: null,
  });
  expect(route?.headers).toMatchObject({ request: { set: { "x-a": "1" }, add: {}, remove: ["x-b"] }, response: null });
  expect(route?.action).toMatchObject({ rewrite: { prefix: null, authority: "other:80" } });
});

test("redirects and answers carry their defaults", () => {
  const [redirect, json, text, empty] = routesOf({
    routes: [
      { match: { path: { prefix: "/a" } }, redirect: { prefix: "/b" } },
      { match: { path: { exact: "/j" } }, respond: { status: 200, json: [] } },
      { match: { path: { exact: "/t" } }, respond: { status: 410, body: "gone", headers: { "Content-Type": "text/html" } } },
      { respond: { status: 204 } },
    ],
  });
  expect(redirect?.action).toEqual({
    kind: "redirect",
    status: 302,
    scheme: null,
    host: null,
    port: null,
    path: { kind: "prefix", value: "/b" },
    stripQuery: false,
  });
  expect(json?.action).toMatchObject({ kind: "respond", body: "[]", headers: { "content-type": "application/json" } });
  expect(text?.action).toMatchObject({ kind: "respond", body: "gone", headers: { "content-type": "text/html" } });
  expect(empty?.action).toMatchObject({ kind: "respond", body: null, headers: {} });
});

test("every part says where it was written", () => {
  const text =
    "apiVersion: heddle/v1\nservices:\n  web:\n    endpoints: []\n    routes:\n      - name: a\n    subsets:\n      v1: { labels: { v: '1' } }\n";
  const { snapshot } = loadDocument(text, "mesh.yaml");
  expect(snapshot?.virtualHosts[0]?.origin).toBe("mesh.yaml:3:3");
  expect(snapshot?.virtualHosts[0]?.routes[0]?.origin).toBe("mesh.yaml:6:9");
  expect(snapshot?.endpointSets.get("web")?.origin).toBe("mesh.yaml:4:5");
  expect(snapshot?.backends.get("web/v1")?.origin).toBe("mesh.yaml:8:7");
});

test("the mesh's own settings reach the snapshot", () => {
  const snapshot = snapshotOf({ web: {} }, { egress: "deny", trustHeaders: true });
  expect(snapshot.egress).toBe("deny");
  expect(snapshot.inboundPolicies.get("web")?.trustHeaders).toBe(true);
});
