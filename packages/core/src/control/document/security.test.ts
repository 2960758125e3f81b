import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { backendOf } from "../../../test/builders.ts";
import { loadDocument } from "./load.ts";

const PRINCIPAL = "spiffe://shop.example/ns/shop/sa/web";
const jwk = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }), kid: "one" };

function documentOf(service: object, mesh: object = {}): object {
  return { apiVersion: "heddle/v1", mesh, services: { reviews: service } };
}

function problemsOf(service: object, mesh: object = {}): string[] {
  return loadDocument(documentOf(service, mesh), "test").problems.map(({ where, message }) => `${where}: ${message}`);
}

function loaded(service: object, mesh: object = {}) {
  const { snapshot, problems } = loadDocument(documentOf(service, mesh), "test");
  if (snapshot === null) throw new Error(problems.map(({ where, message }) => `${where}: ${message}`).join("\n"));
  const backend = snapshot.backends.get("reviews");
  const inbound = snapshot.inboundPolicies.get("reviews");
  if (!backend || !inbound) throw new Error("the document has no service reviews");
  return { backend, inbound };
}

test("a service's servers are who it says, or what the template makes of its name", () => {
  expect(loaded({ identities: [PRINCIPAL] }).backend.tls).toEqual({ ...backendOf().tls, mode: "automatic", identities: [PRINCIPAL] });
  const mesh = { trustDomain: "shop.example", identityTemplate: "spiffe://{trustDomain}/ns/{namespace}/sa/{service}" };
  expect(loaded({}, mesh).backend.tls.identities).toEqual(["spiffe://shop.example/ns/default/sa/reviews"]);
  expect(loaded({}, { ...mesh, namespace: "shop" }).backend.tls.identities).toEqual(["spiffe://shop.example/ns/shop/sa/reviews"]);
});

test("simple TLS has names, authorities and a server name", () => {
  const tls = { mode: "simple", sni: "api.example", subjectAltNames: ["api.example", "10.0.0.1"], ca: "/etc/ca.pem" };
  expect(loaded({ tls }).backend.tls).toEqual({
    mode: "simple",
    identities: [],
    subjectAltNames: ["api.example", "10.0.0.1"],
    authorities: { kind: "file", path: "/etc/ca.pem" },
    sni: "api.example",
  });
});

test.each([
  [{ tls: { mode: "mutual" } }, {}, "services.reviews.tls.mode: is mutual, and nothing says who its servers are"],
  [{ tls: { mode: "simple" }, identities: [PRINCIPAL] }, {}, "services.reviews.identities: has no meaning beside tls.mode simple"],
  [{ tls: { mode: "mutual", ca: "/a" }, identities: [PRINCIPAL] }, {}, "services.reviews.tls.ca: has no meaning beside tls.mode mutual"],
  [{ tls: { mode: "disable", sni: "a" } }, {}, "services.reviews.tls.sni: has no meaning beside tls.mode disable"],
  [{ identities: ["spiffe://shop.example"] }, {}, "services.reviews.identities[0]: found"],
  [{ identities: [] }, {}, "services.reviews.identities: found an empty list"],
  [
    {},
    { identityTemplate: "spiffe://{trustDomain}/{service}" },
    "mesh.identityTemplate: names {trustDomain}, and mesh.trustDomain is not given",
  ],
  [{}, { identityTemplate: "spiffe://shop.example/{namespace}" }, "mesh.identityTemplate: found"],
  [{}, { trustDomain: "spiffe://shop.example" }, "mesh.trustDomain: found"],
  [{ inbound: { trustedPeers: ["web"] } }, {}, 'services.reviews.inbound.trustedPeers[0]: found "web"'],
  [{ inbound: { trustedHops: 1 } }, {}, "services.reviews.inbound.trustedHops: has no meaning without authorize"],
])("what would be ignored or let nobody in is a mistake at its place (%#)", (service, mesh, expected) => {
  const problems = problemsOf(service, mesh);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(expected);
});

test("a rule for tokens has defaults, and what it says", () => {
  const jwt = [
    { issuer: "https://issuer.example", jwks: { url: "https://issuer.example/keys", maxAge: "1m" } },
    {
      name: "partners",
      issuer: "https://partner.example",
      audiences: ["reviews"],
      jwks: { inline: { keys: [jwk] } },
      algorithms: ["ES256"],
      from: [{ header: "X-Token", prefix: "token:" }],
      clockSkew: 0,
      forward: true,
      claimHeaders: [
        { header: "X-Team", claim: "team" },
        { header: "x-roles", claim: ["realm", "roles"] },
      ],
    },
  ];
  const [first, second] = loaded({ inbound: { jwt } }).inbound.jwt;
  expect(first).toMatchObject({
    name: "https://issuer.example",
    audiences: [],
    jwks: {
      kind: "remote",
      url: "https://issuer.example/keys",
      maxAgeMs: 60_000,
      cooldownMs: 30_000,
      timeoutMs: 5_000,
      staleIfErrorMs: 3_600_000,
    },
    from: [{ header: "authorization", prefix: "Bearer " }],
    clockSkewMs: 60_000,
    forward: false,
    claimHeaders: [],
  });
  expect(first?.algorithms).toContain("EdDSA");
  expect(second).toMatchObject({
    name: "partners",
    jwks: { kind: "inline", jwks: { keys: [{ kid: "one" }] } },
    algorithms: ["ES256"],
    from: [{ header: "x-token", prefix: "token:" }],
    clockSkewMs: 0,
    forward: true,
    claimHeaders: [
      { header: "x-team", claim: ["team"] },
      { header: "x-roles", claim: ["realm", "roles"] },
    ],
  });
});

const secret = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" };

test.each([
  [{ issuer: "a", jwks: { url: "http://issuer.example/keys" } }, ".jwks.url: found"],
  [{ issuer: "a", jwks: { file: "/k", timeout: "1s" } }, ".jwks.timeout: belongs to `url`"],
  [{ issuer: "a", jwks: { inline: { keys: [secret] } } }, ".jwks.inline: is no key set that tokens can be verified with"],
  [{ issuer: "a", jwks: { inline: {} } }, ".jwks.inline: is no key set that tokens can be verified with"],
  [{ issuer: "a", jwks: {} }, ".jwks: found none of its keys inline, file, url"],
  [{ issuer: "a", jwks: { file: "/k" }, algorithms: ["HS256"] }, '.algorithms[0]: found "HS256"'],
  [{ issuer: "a", jwks: { file: "/k" }, algorithms: ["none"] }, '.algorithms[0]: found "none"'],
  [{ issuer: "a", jwks: { file: "/k" }, claimHeaders: [{ header: "content-length", claim: "a" }] }, ".claimHeaders[0].header: found"],
])("a rule for tokens that would verify nothing, or too much, is a mistake (%#)", (rule, expected) => {
  const problems = problemsOf({ inbound: { jwt: [rule] } });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`services.reviews.inbound.jwt[0]${expected}`);
  expect(problems[0]).not.toContain(secret.k);
});

test("two rules for tokens of one name are a mistake", () => {
  const rule = { issuer: "a", jwks: { file: "/k" } };
  expect(problemsOf({ inbound: { jwt: [rule, rule] } })).toEqual([
    'services.reviews.inbound.jwt[1]: bears the name "a", as [0] does; give it a `name` of its own',
  ]);
});

test("a policy with from, to and when is one rule under its name", () => {
  const authorize = [
    {
      name: "shop-reads",
      from: [{ principals: [PRINCIPAL], notNamespaces: ["test"] }, { ipBlocks: ["10.0.0.0/8"] }],
      to: [{ methods: ["GET"], paths: ["/api/*", "/v/{*}/x"], notPorts: ["9090"], hosts: ["Reviews"] }],
      when: [
        { key: "request.headers[X-Team]", values: ["a*"], notValues: ["ab"] },
        { key: "request.auth.claims[realm][roles]", values: ["admin"] },
      ],
    },
  ];
  const value = (kind: string, text: string, ignoreCase = false) => ({ kind, value: text, ignoreCase });
  expect(loaded({ inbound: { authorize, trustedHops: 2 } }).inbound.authorization).toMatchObject({
    pathNormalisation: "merge-slashes",
    trustedHops: 2,
    policies: [
      {
        name: "shop-reads",
        action: "allow",
        mode: "enforce",
        rules: [
          {
            name: "shop-reads",
            from: [
              [
                { kind: "principal", not: false, values: [value("exact", PRINCIPAL)] },
                { kind: "namespace", not: true, values: [value("exact", "test")] },
              ],
              [{ kind: "peer-ip", not: false, blocks: ["10.0.0.0/8"] }],
            ],
            to: [
              [
                { kind: "host", not: false, values: [value("exact", "Reviews", true)] },
                { kind: "port", not: true, ranges: [{ from: 9090, to: 9090 }] },
                { kind: "method", not: false, values: [value("exact", "GET")] },
                { kind: "path", not: false, values: [value("prefix", "/api/"), { kind: "template", value: "/v/{*}/x" }] },
              ],
            ],
            when: [
              { kind: "header", name: "x-team", not: false, values: [value("prefix", "a")] },
              { kind: "header", name: "x-team", not: true, values: [value("exact", "ab")] },
              { kind: "claim", path: ["realm", "roles"], not: false, values: [value("exact", "admin")] },
            ],
          },
        ],
      },
    ],
  });
});

test("rules have their own names or numbers; none of them never match, and an empty one takes everything", () => {
  const authorize = [
    { name: "many", rules: [{ to: [{ methods: ["GET"] }] }, { name: "second", to: [{ methods: ["PUT"] }] }] },
    { name: "nothing", rules: [] },
    { name: "all", action: "audit", mode: "shadow", rules: [{}] },
  ];
  const policies = loaded({ inbound: { authorize } }).inbound.authorization?.policies ?? [];
  expect(policies.map(({ rules }) => rules.map(({ name }) => name))).toEqual([["1", "second"], [], ["1"]]);
  expect(policies[2]).toMatchObject({ action: "audit", mode: "shadow", rules: [{ from: [], to: [], when: [] }] });
});

test("nothing decides and no path changes where a document asks for neither", () => {
  expect(loaded({ inbound: { mtls: "permissive" } }).inbound).toMatchObject({ mtls: "permissive", authorization: null, jwt: [] });
  expect(loaded({ inbound: { pathNormalisation: "base" } }).inbound.authorization).toEqual({
    policies: [],
    pathNormalisation: "base",
    trustedHops: 0,
  });
});

test.each([
  [{ name: "a" }, ": has neither from, to, when nor rules"],
  [{ name: "a", rules: [], to: [{ methods: ["GET"] }] }, ".to: stands beside `rules`"],
  [{ name: "a", from: [{}] }, ".from[0]: is empty"],
  [{ name: "a", when: [{ key: "source.ip" }] }, ".when[0]: has neither values nor notValues"],
  [{ name: "a", when: [{ key: "source.pi", values: ["1.1.1.1"] }] }, ".when[0].key: found"],
  [{ name: "a", to: [{ methods: ["get"] }] }, '.to[0].methods[0]: "get" never matches'],
  [{ name: "a", to: [{ paths: ["/a/../b"] }] }, '.to[0].paths[0]: "/a/../b" never matches'],
  [{ name: "a", to: [{ ports: ["http"] }] }, '.to[0].ports[0]: "http" must be a port from 1 to 65535'],
  [{ name: "a", from: [{ ipBlocks: ["10.0.0.0/33"] }] }, '.from[0].ipBlocks[0]: "10.0.0.0/33" must'],
  [{ name: "a", when: [{ key: "destination.port", notValues: ["80", "0"] }] }, '.when[0].notValues[1]: "0" must be a port'],
  [{ name: "a", rules: [{}, { to: [{ methods: ["GET", "put"] }] }] }, '.rules[1].to[0].methods[1]: "put" never matches'],
  [
    { name: "a", from: [{ serviceAccounts: ["a/b"], notNamespaces: ["a"] }] },
    ".from[0]: names service accounts, and a namespace beside them",
  ],
  [{ name: "a", from: [{ principal: ["spiffe://a/b"] }] }, ".from[0].principal: found the unknown key"],
  [{ name: "a", form: [{ principals: ["spiffe://a/b"] }] }, ".form: found the unknown key"],
  [{ name: "a", to: [{ ports: [80, "http"] }] }, ".to[0].ports[0]: found 80, expected"],
  [{ name: "a", from: [{ serviceAccounts: ["web"] }] }, '.from[0].serviceAccounts[0]: "web" must'],
])("a policy that would take everything by mistake, or never match, is a mistake at its place (%#)", (policy, expected) => {
  const problems = problemsOf({ inbound: { authorize: [policy] } });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`services.reviews.inbound.authorize[0]${expected}`);
});

test("two policies of one name are a mistake", () => {
  const policy = { name: "a", rules: [{}] };
  expect(problemsOf({ inbound: { authorize: [policy, policy] } })).toEqual([
    'services.reviews.inbound.authorize[1].name: found "a", which is the name of [0], expected one of its own',
  ]);
});

test("the security part of the documented sample is a document", () => {
  const text = `apiVersion: heddle/v1
mesh:
  trustDomain: shop.example
  egress: allow
  identityTemplate: "spiffe://{trustDomain}/ns/{namespace}/sa/{service}"
services:
  web: {}
  reviews:
    hosts: [reviews, reviews.default.svc.cluster.local]
    protocol: http1                  # http1 | http2 | grpc
    identities: ["spiffe://shop.example/ns/shop/sa/reviews"]
    tls: { mode: mutual }            # disable | simple | mutual
    inbound:                         # enforced in the processes that join as \`reviews\`
      mtls: strict                   # strict | permissive | disable
      jwt: [{ issuer: "https://issuer.example", audiences: [reviews], jwks: { file: jwks.json } }]
      authorize:
        - { name: shop-reads, action: allow, from: [{ principals: ["spiffe://shop.example/ns/shop/sa/web"] }], to: [{ methods: [GET], paths: ["/api/*"] }] }
`;
  const { snapshot, problems } = loadDocument(text, "mesh.yaml");
  expect(problems).toEqual([]);
  expect(snapshot?.backends.get("web")?.tls).toMatchObject({ mode: "automatic", identities: ["spiffe://shop.example/ns/default/sa/web"] });
  expect(snapshot?.backends.get("reviews")?.tls).toMatchObject({
    mode: "mutual",
    identities: ["spiffe://shop.example/ns/shop/sa/reviews"],
  });
  expect(snapshot?.inboundPolicies.get("reviews")).toMatchObject({
    mtls: "strict",
    jwt: [{ audiences: ["reviews"], jwks: { kind: "file", path: "jwks.json" }, origin: "mesh.yaml:15:13" }],
    authorization: { policies: [{ name: "shop-reads", action: "allow", mode: "enforce", origin: "mesh.yaml:17:11" }] },
  });
});

test("mistakes of a policy stand in their own lines, and no password of a URL is in one", () => {
  const text = `apiVersion: heddle/v1
services:
  reviews:
    inbound:
      jwt:
        - issuer: a
          jwks: { url: "https://me:secret@issuer.example/keys" }
      authorize:
        - name: reads
          to:
            - methods: [GET]
              paths:
                - /api/*
                - api
`;
  expect(loadDocument(text, "mesh.yaml").problems.map(({ where, message }) => `${where} ${message}`)).toEqual([
    expect.stringMatching(/^mesh.yaml:7:24 .*jwks\.url: found "https:\/\/\.\.\.@issuer\.example\/keys", .*must not hold credentials/),
    expect.stringMatching(/^mesh.yaml:14:19 .*paths\[1\]: "api" never matches: paths begin with a slash/),
  ]);
});
