import { expect, test } from "vitest";
import { loadDocument } from "./load.ts";

const mesh = { trustDomain: "heddle.test", identityTemplate: "spiffe://{trustDomain}/{service}" };
const jwt = [{ issuer: "https://issuer.example", jwks: { file: "keys.json" } }];

function problemsOf(terms: object, inbound: object = {}): string[] {
  const services = {
    web: { inbound: {} },
    jobs: { identities: ["spiffe://jobs.test/all/*"] },
    orders: { inbound: { jwt, authorize: [{ name: "rule", action: "deny", ...terms }], ...inbound } },
  };
  const { problems } = loadDocument({ apiVersion: "heddle/v1", mesh, services }, "test");
  return problems.map(
    ({ where, message, severity }) => `${severity} ${where.replace("services.orders.inbound.authorize[0].", "")}: ${message}`,
  );
}

test.each([
  ["/admin/**", "star", "/admin/{**}"],
  ["/orders/*/items", "star", "/orders/{*}/items"],
  ["/orders/*/items/*", "star", "/orders/{*}/items/{**}"],
  ["/orders/:id", "colon", "/orders/{*}"],
  ["/orders/:id/items", "colon", "/orders/{*}/items"],
])("asks whether %s is meant as a template", (path, sign, template) => {
  expect(problemsOf({ to: [{ paths: ["/x", path] }] })).toEqual([
    `warning to[0].paths[1]: "${path}" has a ${sign} that is a ${sign}, and takes only paths with one there; is "${template}" meant?`,
  ]);
});

test("proposes no template where none would say the same", () => {
  expect(problemsOf({ to: [{ notPaths: ["/a*b/c"] }] })).toEqual([expect.stringMatching(/^warning to\[0\]\.notPaths\[0\]: .*there$/)]);
  expect(problemsOf({ to: [{ paths: ["*/admin/*"] }] })).toEqual([expect.stringMatching(/has a star .*there$/)]);
});

test.each([
  [{ from: [{ principals: ["spiffe://heddle.tset/web"] }] }, 'is "heddle.test" meant?'],
  [{ from: [{ principals: ["heddle.tset/*"] }] }, 'is "heddle.test" meant?'],
  [{ from: [{ notPrincipals: ["spiffe://heddle.test/wbe"] }] }, 'is "spiffe://heddle.test/web" meant?'],
  [{ when: [{ key: "source.principal", values: ["heddle.test/wbe"] }] }, 'is "spiffe://heddle.test/web" meant?'],
  [{ from: [{ trustDomains: ["hedle.test"] }] }, 'is "heddle.test" meant?'],
  [{ to: [{ methods: ["DELTE"] }] }, 'is "DELETE" meant?'],
  [{ to: [{ hosts: ["orders.*.test"] }] }, "has a star that is a star"],
])("warns of what is nearly a known name: %j", (terms, words) => {
  expect(problemsOf(terms)).toEqual([expect.stringMatching(/^warning /)]);
  expect(problemsOf(terms)[0]).toContain(words);
});

test.each([
  { from: [{ principals: ["heddle.test/web", "heddle.test/*", "spiffe://jobs.test/all/jobx", "*/wbe", "partner.example/x"] }] },
  { from: [{ principals: ["heddle.test/operators", "heddle.test/orders42", "heddle.test/w", "heddle.test/ns/shop/sa/web"] }] },
  { from: [{ trustDomains: ["heddle.test", "jobs.test", "partner.example", "*.tset"] }] },
  { to: [{ methods: ["GET", "PURGE", "PROPFIND", "P*"], paths: ["/a/*", "*.png", "*", "/a/{*}/{**}", "/at:noon"] }] },
  { from: [{ requestPrincipals: ["https://issuer.example/ada", "https://issuer.example/*", "https://*", "*/ada", "*"] }] },
])("says nothing of what may be meant: %j", (terms) => {
  expect(problemsOf(terms)).toEqual([]);
});

test("refuses principals of issuers whose tokens are not looked at", () => {
  expect(problemsOf({ from: [{ requestPrincipals: ["https://issuer.exmaple/*"] }] })).toEqual([
    'error from[0].requestPrincipals[0]: "https://issuer.exmaple/*" never matches: no issuer of `inbound.jwt` has such principals, expected what begins as "https://issuer.example/*"; is "https://issuer.example" meant?',
  ]);
  expect(problemsOf({ when: [{ key: "request.auth.principal", notValues: ["ada"] }] })).toEqual([
    expect.stringContaining('expected what begins as "https://issuer.example/*"'),
  ]);
});

test("names the identity of a service whose name stands where it belongs", () => {
  expect(problemsOf({ from: [{ principals: ["web"] }] })).toEqual([
    expect.stringMatching(/^error from\[0\]\.principals\[0\]: .*; the service web is "spiffe:\/\/heddle\.test\/web"$/),
  ]);
});
