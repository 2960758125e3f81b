import { expect, test } from "vitest";
import { checkDocument } from "./check.ts";
import { loadDocument } from "./load.ts";

const document = (services: unknown, mesh: unknown = {}) => ({ apiVersion: "heddle/v1", mesh, services });
const reviews = (keys: object) => document({ reviews: keys });

/** One line a problem, as people read it. */
function problemsOf(value: unknown): readonly string[] {
  return checkDocument(value).problems.map(({ where, message }) => `${where}: ${message}`);
}

test("takes a document that uses every key that is built", () => {
  const value = document(
    {
      web: {},
      reviews: {
        hosts: ["reviews", "reviews.default.svc:9080", "*.reviews.test", "[::1]:80"],
        protocol: "http1",
        endpoints: [
          { address: "127.0.0.1:9081", labels: { version: "v1" }, weight: 2 },
          { address: "[::1]:9082", labels: { version: "v2" } },
        ],
        subsets: {
          v1: { labels: { version: "v1" }, balancer: { policy: "random" }, outlier: "off", breaker: {}, limits: { maxRequests: "off" } },
        },
        balancer: { policy: "least-request" },
        connectTimeout: "1s",
        timeout: { total: "10s" },
        retry: {
          maxRetries: 1,
          on: ["reset", 503],
          methods: ["GET"],
          perTryTimeout: "1m",
          backoff: { base: 1, max: "2ms" },
          retryAfter: { max: "1s" },
          budget: { percent: 0, minPerSecond: 1 },
        },
        limits: { maxConnections: 1, maxPending: 0, maxRequests: 1 },
        breaker: { consecutiveFailures: "off", failurePercent: 50, minRequests: 1, window: "1s", openFor: "1s" },
        outlier: { consecutiveFailures: 1, interval: "1s", baseEjection: "1s", maxEjection: "1s", maxEjectionPercent: 100 },
        routes: [
          {
            name: "all of it",
            match: {
              path: { prefix: "/api", ignoreCase: true },
              methods: ["GET"],
              headers: { "x-user": { exact: "jason", not: true } },
              query: { q: { present: true } },
              authority: { regex: "reviews.*" },
            },
            to: [
              { subset: "v1", weight: 0 },
              { service: "web", weight: 3, headers: { response: { add: { "x-a": "b" } } } },
            ],
            timeout: "off",
            retry: "off",
            rewrite: { prefix: "/v2", authority: "other:80" },
            headers: { request: { set: { "x-env": "prod" }, remove: ["x-debug"] } },
          },
          { match: { path: { exact: "/old" } }, redirect: { scheme: "http", host: "web", port: 80, path: "/new", status: 308 } },
          { respond: { status: 410, json: { gone: [true, null] }, headers: { "x-a": "b" } } },
        ],
        tls: { mode: "disable" },
        inbound: { mtls: "disable" },
      },
    },
    { egress: "deny", trustHeaders: true },
  );
  // More than the total of 10 s on purpose: the one mistake in it, so that the test would see checks that do nothing.
  expect(problemsOf(value)).toEqual([
    "services.reviews.retry.perTryTimeout: perTryTimeout is 1m, more than the total timeout of 10s (services.reviews.timeout)",
  ]);
});

test("reports every mistake at once, with what was found and what was expected", () => {
  const problems = problemsOf(
    document(
      { reviews: { timeout: "soon", retry: { maxRetries: -1 }, endpoints: { address: "a:1" }, limits: { maxPending: 1.5 } } },
      { egress: "maybe", trustHeaders: "yes" },
    ),
  );
  expect(problems).toEqual([
    'mesh.egress: found "maybe", expected one of allow, deny',
    'mesh.trustHeaders: found "yes", expected true or false',
    'services.reviews.timeout: found "soon", expected a duration from 1ms to 24h, such as 250ms, 2s or 1m30s',
    "services.reviews.retry.maxRetries: found -1, expected an integer from 0 to 10",
    "services.reviews.endpoints: found a mapping, expected a list of: a mapping with address, dns, unix, labels, weight",
    "services.reviews.limits.maxPending: found 1.5, expected an integer from 0 to 1000000",
  ]);
});

test("suggests the nearest key that it knows", () => {
  expect(problemsOf(reviews({ tiemout: "1s" }))[0]).toMatch(
    /^services\.reviews\.tiemout: found the unknown key "tiemout", .*did you mean "timeout"\?$/,
  );
  expect(problemsOf(reviews({ balancer: { policy: "round-robbin" } }))[0]).toMatch(/did you mean "round-robin"\?$/);
  expect(problemsOf(reviews({ completelyElse: 1 }))[0]).not.toContain("did you mean");
});

test.each([
  [reviews({ healthCheck: {} }), 'services.reviews.healthCheck: "healthCheck" is not built in this version'],
  [reviews({ balancer: { policy: "maglev" } }), 'services.reviews.balancer.policy: "maglev" is not built in this version'],
  [reviews({ inbound: { rateLimit: [] } }), 'services.reviews.inbound.rateLimit: "rateLimit" is not built in this version'],
  [reviews({ endpoints: [{ address: "a:1", zone: "a" }] }), 'services.reviews.endpoints[0].zone: "zone" is not built in this version'],
  [reviews({ routes: [{ hedge: {} }] }), 'services.reviews.routes[0].hedge: "hedge" is not built in this version'],
])("says of what is promised but not built that it is not built (%#)", (value, expected) => {
  expect(problemsOf(value)).toEqual([expected]);
});

test("refuses another apiVersion with one mistake, whatever else the document says", () => {
  expect(problemsOf({ apiVersion: "heddle/v2", nonsense: 1 })).toEqual([
    'apiVersion: found "heddle/v2", expected "heddle/v1", the only version this heddle reads',
  ]);
  // What was misspelt is not missing as well.
  expect(problemsOf(reviews({ endpoints: [{ adress: "127.0.0.1:9081" }] }))).toEqual([
    expect.stringMatching(/endpoints\[0\].*unknown key "adress".*did you mean "address"\?$/),
  ]);
  expect(problemsOf(reviews({ endpoints: [{ label: {} }] }))).toEqual([
    expect.stringContaining('unknown key "label"'),
    expect.stringContaining("found none of its keys address, dns, unix"),
  ]);
  expect(problemsOf({ services: {} })).toEqual(['document: the key "apiVersion" is missing, expected heddle/v1']);
});

test("a budget in a route is a mistake that says where it belongs", () => {
  expect(problemsOf(reviews({ routes: [{ retry: { budget: { percent: 1 } } }] }))).toEqual([
    'services.reviews.routes[0].retry.budget: "budget" does not belong here: the budget is shared by everything sent to a service: services.<name>.retry.budget',
  ]);
});

test("refuses keys that would reach a prototype, and takes names that only look like it", () => {
  const value = JSON.parse('{ "apiVersion": "heddle/v1", "__proto__": {}, "services": { "__proto__": {}, "constructor": {} } }') as unknown;
  expect(problemsOf(value)).toEqual([
    expect.stringMatching(/^__proto__: found the unknown key/),
    expect.stringMatching(/^services\.__proto__: found the key "__proto__", expected a name/),
  ]);
  expect(problemsOf(document({ toString: {}, web: { routes: [{ to: [{ service: "hasOwnProperty" }] }] } }))).toEqual([
    expect.stringContaining('no service is called "hasOwnProperty"'),
  ]);
});

test("takes no instances, functions or other things that text could not say", () => {
  expect(problemsOf(document(new Map()))[0]).toContain("services: found a mapping, expected a mapping of <name>");
  expect(problemsOf(reviews({ timeout: () => 1 }))[0]).toContain("found a function");
  expect(problemsOf(reviews({ timeout: Number.NaN }))[0]).toContain("found NaN");
  expect(problemsOf(null)[0]).toMatch(/^document: found nothing, expected a mapping/);
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  expect(problemsOf(reviews({ routes: [{ respond: { status: 200, json: circle } }] }))).toHaveLength(1);
});

test("a key that is undefined is one that was not given", () => {
  expect(problemsOf(reviews({ timeout: undefined, retri: undefined }))).toEqual([]);
});

test("a document with mistakes translates to nothing", () => {
  expect(loadDocument(reviews({ timeout: "soon" }), "static").snapshot).toBeNull();
  expect(loadDocument(reviews({ timeout: "1s" }), "static").snapshot).not.toBeNull();
});

test.each([
  ["address", reviews({ endpoints: [{ address: "" }] })],
  ["address", reviews({ endpoints: [{ address: "a" }] })],
  ["address", reviews({ endpoints: [{ address: "a:0" }] })],
  ["address", reviews({ endpoints: [{ address: "a:65536" }] })],
  ["address", reviews({ endpoints: [{ address: "::1:80" }] })],
  ["address", reviews({ endpoints: [{ address: "[::g]:80" }] })],
  ["address", reviews({ endpoints: [{ address: "300.1.1.1:80" }] })],
  ["address", reviews({ endpoints: [{ address: "http://a:80" }] })],
  ["address", reviews({ endpoints: [{ address: "a:80/x" }] })],
  ["hosts", reviews({ hosts: ["a.*"] })],
  ["hosts", reviews({ hosts: ["*.a:80"] })],
  ["hosts", reviews({ hosts: ["http://a"] })],
  ["hosts", reviews({ hosts: ["a b"] })],
  ["hosts", reviews({ hosts: [] })],
  ["services", document({ "a/b": {} })],
  ["services", document({ "1.2.3": {} })],
  ["regex", reviews({ routes: [{ match: { path: { regex: "(?=a)" } } }] })],
  ["regex", reviews({ routes: [{ match: { path: { regex: "(a" } } }] })],
  ["set", reviews({ routes: [{ headers: { request: { set: { "x y": "a" } } } }] })],
  ["x", reviews({ routes: [{ headers: { request: { set: { x: "a\r\nb: c" } } } }] })],
  ["x", reviews({ routes: [{ headers: { response: { add: { x: "a\0" } } } }] })],
  ["host", reviews({ routes: [{ headers: { request: { set: { Host: "a" } } } }] })],
  ["remove", reviews({ routes: [{ headers: { request: { remove: ["Connection"] } } }] })],
  ["x-a", reviews({ routes: [{ headers: { request: { set: { "x-a": "1", "X-A": "2" } } } }] })],
  ["host", reviews({ routes: [{ match: { headers: { host: { exact: "a" } } } }] })],
  ["path", reviews({ routes: [{ match: { path: { exact: "old" } } }] })],
  ["path", reviews({ routes: [{ match: { path: { exact: "/a", prefix: "/b" } } }] })],
  ["path", reviews({ routes: [{ match: { path: { not: true } } }] })],
  ["present", reviews({ routes: [{ match: { headers: { a: { present: false } } } }] })],
  ["status", reviews({ routes: [{ respond: { status: 101 } }] })],
  ["status", reviews({ routes: [{ respond: { status: 600 } }] })],
  ["json", reviews({ routes: [{ respond: { status: 200, body: "", json: 1 } }] })],
  ["redirect", reviews({ routes: [{ to: [{}], redirect: { path: "/a" } }] })],
])("refuses an impossible %s (%#)", (word, value) => {
  const problems = problemsOf(value);
  expect(problems).toHaveLength(1);
  expect(problems[0]?.toLowerCase()).toContain(word.toLowerCase());
});

test("an endpoint is one of address, dns and unix", () => {
  const endpoints = (...given: readonly object[]) => problemsOf(reviews({ endpoints: given }));
  expect(endpoints({ dns: "reviews.internal:9080" }, { dns: "_http._tcp.reviews.internal" }, { unix: "/run/reviews.sock" })).toEqual([]);
  expect(endpoints({}, { dns: "a:1", unix: "/a" })).toEqual([
    expect.stringContaining("endpoints[0]: found none of its keys address, dns, unix, expected one of them"),
    expect.stringContaining("found dns and unix, expected only one of them"),
  ]);
  expect(endpoints({ dns: "reviews.internal" }, { dns: "_http._tcp.a:80" }, { dns: "_http.a" }, { dns: "127.0.0.1:80" })).toEqual([
    expect.stringContaining("the port is missing"),
    expect.stringContaining("the port of an SRV name is in its records"),
    expect.stringContaining("an SRV name is _service._proto.name"),
    expect.stringContaining("this is an address already"),
  ]);
  expect(endpoints({ unix: "run/a.sock" }, { unix: `/${"x".repeat(107)}` }, { address: "unix:/run/a.sock" })).toEqual([
    expect.stringContaining("expected an absolute path of at most 107 bytes"),
    expect.stringContaining("it has 108 bytes"),
    expect.stringContaining("a unix socket is an endpoint { unix: /path }"),
  ]);
  expect(endpoints({ unix: "/a" }, { unix: "/a" })).toEqual([
    expect.stringContaining("endpoints[1].unix: the address unix:/a is listed twice"),
  ]);
});
