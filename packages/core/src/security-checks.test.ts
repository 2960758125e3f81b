import { expect, test } from "vitest";
import { backendOf, endpointSetOf, inboundPolicyOf, snapshotOf } from "../test/builders.ts";
import type { TlsSettings } from "./model/backend.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import type { JwtRule } from "./model/jwt.ts";
import { type CheckedParts, callsWithoutIdentity, checkSecurity, type SecurityMeans } from "./security-checks.ts";

const WEB = "spiffe://shop.example/web";
const POOR: SecurityMeans = { service: "reviews", hasIdentity: false, canFetch: false };
const RICH: SecurityMeans = { service: "reviews", hasIdentity: true, canFetch: true };

function problemsOf(
  parts: { readonly tls?: Partial<TlsSettings>; readonly inbound?: Partial<InboundPolicy>; readonly addresses?: readonly string[] },
  means: SecurityMeans,
  checked: CheckedParts = new WeakSet(),
): readonly string[] {
  const snapshot = snapshotOf({
    backends: [backendOf({ tls: { ...backendOf().tls, ...parts.tls } })],
    endpointSets: [endpointSetOf("reviews", parts.addresses ?? ["127.0.0.1:1"])],
    inboundPolicies: [{ ...inboundPolicyOf("reviews"), ...parts.inbound }],
  });
  return checkSecurity(snapshot, means, checked).map(({ message }) => message);
}

test("plain text asks for nothing", () => {
  expect(problemsOf({}, POOR)).toEqual([]);
  expect(problemsOf({}, RICH)).toEqual([]);
});

test("mutual TLS without an identity to show is refused, and so is TLS on the way in", () => {
  expect(problemsOf({ tls: { mode: "mutual", identities: [WEB] } }, POOR)).toEqual([
    "service reviews: tls.mode is mutual, and this process has no identity to show: give joinMesh an `identity`",
  ]);
  expect(problemsOf({ inbound: { mtls: "strict" } }, POOR)[0]).toContain("mtls is strict, and this process has no identity to show");
  expect(problemsOf({ inbound: { mtls: "permissive" } }, POOR)[0]).toContain("mtls is permissive, and this process has no identity");
  expect(problemsOf({ inbound: { mtls: "strict" } }, { ...POOR, service: "web" })).toEqual([]);
});

test("a process without an identity takes a configuration with a strict service, and is told that its calls will fail", () => {
  const strict = snapshotOf({
    backends: [backendOf({ tls: { ...backendOf().tls, mode: "demanded" } })],
    endpointSets: [endpointSetOf("reviews", ["127.0.0.1:1"])],
    inboundPolicies: [{ ...inboundPolicyOf("reviews"), mtls: "strict", origin: "mesh.yaml:7" }],
  });
  expect(checkSecurity(strict, { ...POOR, service: "web" }, new WeakSet())).toEqual([]);
  expect(callsWithoutIdentity(strict)).toEqual([
    {
      where: "mesh.yaml:7",
      message: expect.stringMatching(
        /^service reviews: inbound\.mtls is strict, .* every call to it fails with no_identity; give joinMesh/,
      ),
      severity: "warning",
    },
  ]);
  expect(callsWithoutIdentity({ ...strict, endpointSets: new Map() })).toEqual([]);
});

test("an identity with services that nobody is known to be is refused, unless they have no endpoint", () => {
  expect(problemsOf({ tls: { mode: "automatic" } }, RICH)[0]).toContain("nothing says who its servers are");
  expect(problemsOf({ tls: { mode: "mutual" } }, RICH)[0]).toContain("tls.mode is mutual, and nothing says who its servers are");
  expect(problemsOf({ tls: { mode: "automatic" }, addresses: [] }, RICH)).toEqual([]);
  expect(problemsOf({ tls: { mode: "automatic", identities: [WEB] } }, RICH)).toEqual([]);
  expect(problemsOf({ tls: { mode: "automatic" } }, POOR)).toEqual([]);
});

test("a service without endpoints that gets some is looked at again", () => {
  const checked: CheckedParts = new WeakSet();
  const backend = backendOf({ tls: { ...backendOf().tls, mode: "automatic" } });
  const withAddresses = (addresses: readonly string[]) =>
    snapshotOf({ backends: [backend], endpointSets: [endpointSetOf("reviews", addresses)] });
  expect(checkSecurity(withAddresses([]), RICH, checked)).toEqual([]);
  expect(checkSecurity(withAddresses(["127.0.0.1:1"]), RICH, checked)).toHaveLength(1);
});

test("patterns that are none are refused, whoever made the snapshot", () => {
  expect(problemsOf({ tls: { identities: ["web"] } }, POOR)[0]).toContain('identity "web"');
  expect(problemsOf({ inbound: { trustedPeers: ["spiffe://shop.example"] } }, POOR)[0]).toContain("trustedPeers: ");
});

test("remote keys without means to fetch them are refused in the process that would need them", () => {
  const rule = { name: "issuer", jwks: { kind: "remote" }, origin: "mesh.yaml:7" } as JwtRule;
  expect(problemsOf({ inbound: { jwt: [rule] } }, POOR)[0]).toContain("jwt issuer: the keys are remote");
  expect(problemsOf({ inbound: { jwt: [rule] } }, { ...POOR, service: "web" })).toEqual([]);
  expect(problemsOf({ inbound: { jwt: [rule] } }, RICH)).toEqual([]);
});

test("rules that can never match are refused, whoever made the snapshot", () => {
  const authorization = {
    pathNormalisation: "merge-slashes",
    trustedHops: 0,
    policies: [
      {
        name: "reads",
        action: "allow",
        mode: "enforce",
        origin: "mesh.yaml:9",
        rules: [
          {
            name: "1",
            from: [],
            to: [[{ kind: "method", not: false, values: [{ kind: "exact", value: "get", ignoreCase: false }] }]],
            when: [],
          },
        ],
      },
    ],
  } as const;
  expect(problemsOf({ inbound: { authorization } }, POOR)[0]).toContain("authorize: reads: rule 1: to 0: method");
  // The name may have anything in it, and be that of several or none.
  for (const name of ["team: reads", ""]) {
    const [policy] = authorization.policies;
    const named = { ...authorization, policies: [{ ...policy, name }] };
    const snapshot = snapshotOf({ inboundPolicies: [{ ...inboundPolicyOf("reviews"), authorization: named }] });
    for (const { where } of checkSecurity(snapshot, POOR, new WeakSet())) expect(where).toBe("mesh.yaml:9");
  }
});

test("what was found right and is the same object is not looked at again", () => {
  const checked: CheckedParts = new WeakSet();
  const snapshot = snapshotOf({
    backends: [backendOf()],
    endpointSets: [endpointSetOf("reviews", ["127.0.0.1:1"])],
    inboundPolicies: [inboundPolicyOf("reviews")],
  });
  expect(checkSecurity(snapshot, RICH, checked)).toEqual([]);
  for (const backend of snapshot.backends.values()) expect(checked.has(backend)).toBe(true);
  for (const policy of snapshot.inboundPolicies.values()) expect(checked.has(policy)).toBe(true);
});
