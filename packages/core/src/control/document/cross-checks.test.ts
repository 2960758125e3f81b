import { expect, test } from "vitest";
import { checkDocument } from "./check.ts";

const endpoints = [{ address: "127.0.0.1:1", labels: { version: "v1" } }];

function problemsOf(services: object): readonly string[] {
  return checkDocument({ apiVersion: "heddle/v1", services }).problems.map(
    ({ where, message, severity }) => `${severity} ${where}: ${message}`,
  );
}

test("finds destinations that lead nowhere", () => {
  const to = [{ subset: "v2" }, { service: "reviws" }, { service: "web", subset: "v1" }];
  expect(problemsOf({ web: {}, reviews: { endpoints, subsets: { v1: { labels: { version: "v1" } } }, routes: [{ to }] } })).toEqual([
    'error services.reviews.routes[0].to[0].subset: the service "reviews" has no subset "v2"; did you mean "v1"?',
    'error services.reviews.routes[0].to[1].service: no service is called "reviws"; did you mean "reviews"?',
    'error services.reviews.routes[0].to[2].subset: the service "web" has no subset "v1"',
  ]);
});

test("finds weights that sum to 0", () => {
  expect(problemsOf({ web: { routes: [{ to: [{ weight: 0 }] }] } })).toEqual([
    "error services.web.routes[0].to: the weights sum to 0, so no request could go anywhere",
  ]);
  expect(problemsOf({ web: { routes: [{ to: [{ weight: 0 }, {}] }] } })).toEqual([]);
});

test("finds hosts that two services claim, in whatever case, by name or by host", () => {
  expect(problemsOf({ web: {}, shop: { hosts: ["shop", "WEB"] } })).toEqual([
    'error services.shop.hosts[1]: the host web is claimed by the service "web" too (services.web)',
  ]);
  expect(problemsOf({ web: { hosts: ["a", "A"] } })).toEqual([
    "error services.web.hosts[1]: the host a is claimed twice by this service (services.web.hosts[0])",
  ]);
  expect(problemsOf({ web: { hosts: ["a:80", "a:81", "a"] } })).toEqual([]);
});

test("finds route names that are taken, also by the names of routes without one", () => {
  expect(problemsOf({ web: { routes: [{ name: "web/1", match: { methods: ["GET"] } }, {}] } })).toEqual([
    'error services.web.routes[1].name: the name "web/1" is taken by routes[0]',
  ]);
});

test("finds an address that a service lists twice", () => {
  expect(problemsOf({ web: { endpoints: [{ address: "A:1" }, { address: "a:1" }, { address: "a:2" }] } })).toEqual([
    "error services.web.endpoints[1].address: the address a:1 is listed twice, first as endpoints[0]",
  ]);
});

test("compares the per-try timeout with the total, wherever each of them comes from", () => {
  const service = { timeout: "1s", retry: { perTryTimeout: "500ms" } };
  expect(problemsOf({ web: service })).toEqual([]);
  expect(problemsOf({ web: { ...service, routes: [{ timeout: "100ms" }] } })).toEqual([
    "error services.web.routes[0].timeout: perTryTimeout is 500ms, more than the total timeout of 100ms (services.web.retry.perTryTimeout)",
  ]);
  expect(problemsOf({ web: { ...service, routes: [{ retry: { perTryTimeout: "2s" } }] } })).toEqual([
    "error services.web.routes[0].retry.perTryTimeout: perTryTimeout is 2s, more than the total timeout of 1s (services.web.timeout)",
  ]);
  expect(problemsOf({ web: { ...service, routes: [{ timeout: "off", retry: { perTryTimeout: "2s" } }] } })).toEqual([]);
});

test("finds a budget that forbids the retries that are asked for", () => {
  const budget = { percent: 0, minPerSecond: 0 };
  expect(problemsOf({ web: { retry: { budget } } })[0]).toContain("forbids the retries that maxRetries: 2 asks for");
  expect(problemsOf({ web: { retry: { maxRetries: 0, budget } } })).toEqual([]);
  expect(problemsOf({ web: { retry: { maxRetries: 0, budget }, routes: [{ retry: { maxRetries: 3 } }] } })[0]).toContain("maxRetries: 3");
});

test("finds bounds in the wrong order, a default as one of them", () => {
  expect(problemsOf({ web: { retry: { backoff: { base: "1s" } } } })).toEqual([
    "error services.web.retry.backoff: base is 1s, more than max, which is 250ms",
  ]);
  expect(problemsOf({ web: { outlier: { maxEjection: "1s" } } })).toEqual([
    "error services.web.outlier.maxEjection: found 1s, expected at least baseEjection, which is 30s",
  ]);
  expect(problemsOf({ web: { outlier: { baseEjection: "10m" } } })).toEqual([]);
});

test("finds a breaker that could never open", () => {
  expect(problemsOf({ web: { breaker: { consecutiveFailures: "off", failurePercent: "off" } } })[0]).toContain("never opens");
});

test("warns of a subset without endpoints, which may still come", () => {
  expect(problemsOf({ web: { endpoints, subsets: { v2: { labels: { version: "v2" } } } } })).toEqual([
    "warning services.web.subsets.v2: no endpoint has version: v2",
  ]);
});

test("warns of routes that are never taken", () => {
  const routes = [{ match: { methods: ["GET"] } }, { match: { path: { prefix: "/" } } }, { name: "late" }];
  expect(problemsOf({ web: { routes } })).toEqual(["warning services.web.routes[2]: never taken: routes[1] matches everything before it"]);
});

test("gives no warnings beside errors: what is left of a broken document may mislead", () => {
  const problems = problemsOf({ web: { endpoints: [{ address: "a:1", labels: 5 }], subsets: { v2: { labels: { version: "v2" } } } } });
  expect(problems).toEqual([expect.stringContaining("error services.web.endpoints[0].labels")]);
});

test("replaces a prefix only where the route matches one", () => {
  expect(problemsOf({ web: { routes: [{ match: { path: { exact: "/a" } }, rewrite: { prefix: "/b" } }] } })[0]).toContain("no such match");
  expect(problemsOf({ web: { routes: [{ match: { path: { prefix: "/a", not: true } }, rewrite: { prefix: "/b" } }] } })[0]).toContain(
    "no such match",
  );
  expect(problemsOf({ web: { routes: [{ redirect: { prefix: "/b" } }] } })[0]).toContain("no such match");
  expect(problemsOf({ web: { routes: [{ match: { path: { prefix: "/a" } }, rewrite: { prefix: "/b" } }] } })).toEqual([]);
});

test("refuses what would be ignored beside a redirect or an answer", () => {
  const routes = [
    { respond: { status: 200 }, retry: {}, timeout: "1s", rewrite: { authority: "a" }, headers: { request: { remove: ["a"] } } },
  ];
  expect(problemsOf({ web: { routes } }).map((problem) => problem.split(":")[0])).toEqual(
    ["timeout", "retry", "rewrite", "headers.request"].map((key) => `error services.web.routes[0].${key}`),
  );
});

test.each([
  [{}, true],
  [{ host: "web" }, true],
  [{ path: "/a" }, true],
  [{ host: "other" }, false],
  [{ scheme: "https" }, false],
  [{ path: "/b" }, false],
])("sees the redirect %j of /a lead to itself: %s", (redirect, isLoop) => {
  const problems = problemsOf({ web: { routes: [{ match: { path: { exact: "/a" } }, redirect }] } });
  expect(problems.length > 0).toBe(isLoop);
});
