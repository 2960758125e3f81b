import { expect, test } from "vitest";
import { loadDocument } from "./load.ts";

const WEB = "spiffe://shop.example/web";
const jwt = [{ issuer: "https://issuer.example", jwks: { file: "keys.json" } }];

function warningsOf(inbound: object): string[] {
  const { problems } = loadDocument({ apiVersion: "heddle/v1", services: { reviews: { inbound } } }, "test");
  return problems.map(({ where, message, severity }) => `${severity} ${where}: ${message.split(",")[0]}`);
}

const BY_TOKEN = [
  { name: "people", from: [{ requestPrincipals: ["*"] }] },
  {
    name: "editors",
    action: "deny",
    rules: [{ to: [{ methods: ["GET"] }] }, { when: [{ key: "request.auth.claims[groups]", notValues: ["editors"] }] }],
  },
];

test("warns of rules that ask for tokens where none is looked at, each at its place", () => {
  expect(warningsOf({ authorize: BY_TOKEN })).toEqual([
    "warning services.reviews.inbound.authorize[0].from[0].requestPrincipals: asks what a token says",
    "warning services.reviews.inbound.authorize[1].rules[1].when[0].key: asks what a token says",
  ]);
  expect(warningsOf({ authorize: BY_TOKEN, jwt })).toEqual([]);
});

const BY_PEER = [
  { name: "web", from: [{ principals: [WEB] }, { notNamespaces: ["test"] }], to: [{ paths: ["/"] }] },
  { name: "shop", when: [{ key: "source.trustDomain", values: ["shop.example"] }] },
  { name: "near", from: [{ ipBlocks: ["10.0.0.0/8"] }], when: [{ key: "source.ip", values: ["10.0.0.1"] }] },
];

test("warns of rules that ask who is calling where nobody can prove it", () => {
  expect(warningsOf({ authorize: BY_PEER, mtls: "disable" })).toEqual([
    "warning services.reviews.inbound.authorize[0].from[0].principals: asks who is calling",
    "warning services.reviews.inbound.authorize[0].from[1].notNamespaces: asks who is calling",
    "warning services.reviews.inbound.authorize[1].when[0].key: asks who is calling",
  ]);
  for (const mtls of ["strict", "permissive"]) expect(warningsOf({ authorize: BY_PEER, mtls })).toEqual([]);
  expect(warningsOf({ authorize: BY_PEER })).toEqual([]);
});

test("warns of proxies that would be believed where nobody can prove to be one", () => {
  expect(warningsOf({ trustedPeers: [WEB], mtls: "disable" })).toEqual([
    "warning services.reviews.inbound.trustedPeers: says whom to believe of whom they serve",
  ]);
  for (const mtls of ["strict", "permissive"]) expect(warningsOf({ trustedPeers: [WEB], mtls })).toEqual([]);
});

test("warns of parts of a name that no template of names has", () => {
  const warnings = (mesh: object) => {
    const { problems } = loadDocument({ apiVersion: "heddle/v1", mesh, services: {} }, "test");
    return problems.map(({ where, message, severity }) => `${severity} ${where}: ${message.split(",")[0]}`);
  };
  const noEffect = (key: string) => `warning mesh.${key}: has no effect: it is what {${key}} in \`mesh.identityTemplate\` stands for`;
  const given = { trustDomain: "shop.example", namespace: "shop" };
  expect(warnings(given)).toEqual([noEffect("trustDomain"), noEffect("namespace")]);
  expect(warnings({ ...given, identityTemplate: "spiffe://{trustDomain}/{service}" })).toEqual([noEffect("namespace")]);
  expect(warnings({ ...given, identityTemplate: "spiffe://shop.example/{namespace}/{service}" })).toEqual([noEffect("trustDomain")]);
  expect(warnings({ ...given, identityTemplate: "spiffe://{trustDomain}/{namespace}/{service}" })).toEqual([]);
});
