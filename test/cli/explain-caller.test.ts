import { expect, test } from "vitest";
import { documentFile, heddle } from "./heddle.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";

function meshFile(reviews: string): string {
  return documentFile(`apiVersion: heddle/v1
mesh: { trustDomain: shop.example, identityTemplate: "spiffe://{trustDomain}/ns/shop/sa/{service}" }
services:
  web: {}
  reviews:
    endpoints: [{ address: "127.0.0.1:9081" }]
${reviews}`);
}

const GUARDED = `    tls: { mode: mutual }
    inbound:
      mtls: strict
      jwt: [{ issuer: "https://issuer.example", jwks: { file: keys.json } }]
      authorize:
        - { name: no-admin, action: deny, to: [{ paths: ["/admin/*"] }] }
        - { name: web-reads, from: [{ principals: ["${WEB}"] }], to: [{ methods: [GET] }] }
        - { name: editors, when: [{ key: "request.auth.claims[groups]", values: [editors] }] }
`;

test("explain says what the called service decides about a caller, and what became of each rule", async () => {
  const { code, out } = await heddle("explain", meshFile(GUARDED), "GET", "http://reviews/api/7", "--from", WEB);
  expect(code).toBe(0);
  expect(out).toMatch(/service reviews, by its host reviews/);
  expect(out).toMatch(/at reviews, spiffe:\/\/shop\.example\/ns\/shop\/sa\/web is served: allowed by web-reads \(mtls strict; /);
  expect(out).toMatch(/deny rule no-admin does not hold: not matched: .*\/admin/);
  expect(out).toMatch(/allow rule web-reads holds: /);
  expect(out).toMatch(/allow rule editors cannot be decided: undecidable: /);
});

test("explain refuses a caller that proves nothing to a strict service, and takes claims as verified", async () => {
  const file = meshFile(GUARDED);
  const plain = await heddle("explain", file, "http://reviews/api/7", "--peer-address", "10.0.0.7");
  expect(plain.out).toContain("a caller without identity is refused with mtls_required");
  const claims = JSON.stringify({ iss: "https://issuer.example", sub: "alice", groups: ["editors"] });
  const { code, out } = await heddle("explain", file, "PUT", "http://reviews/api/7", "--from", WEB, "--claims", claims, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    virtualHost: { name: "reviews" },
    inbound: [
      {
        service: "reviews",
        mtls: "strict",
        refusedWith: null,
        why: "allowed by editors",
        authorization: { rule: "editors", reason: "allowed_by_rule" },
        rules: [{ held: "no" }, { held: "no" }, { held: "yes", conditions: [{ part: "when", held: "yes" }] }],
      },
    ],
  });
});

test("explain reads the claims of a token that is sent, and says that it looked at nothing else of it", async () => {
  const file = meshFile(GUARDED.replace("mtls: strict", "mtls: permissive"));
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "ES256" })}.${part({ iss: "https://issuer.example", sub: "alice", groups: ["editors"] })}.AAAA`;
  const { out } = await heddle("explain", file, "PUT", "http://reviews/api/7", "-H", `authorization: Bearer ${token}`);
  expect(out).toContain(
    "is served: allowed by editors; the claims are those of the token in authorization; its signature was not looked at",
  );
  const opaque = await heddle("explain", file, "PUT", "http://reviews/api/7", "-H", "authorization: Bearer eyJ");
  expect(opaque.out).toMatch(/refused with unauthenticated: the token in authorization is not valid, unless --claims gives what it says/);
});

test("explain says without a caller what becomes of one that shows nothing, where the service asks for anything", async () => {
  const { out } = await heddle("explain", meshFile(GUARDED), "http://reviews/api/7");
  expect(out).toContain("at reviews, a caller without identity is refused with mtls_required: mtls is strict");
  // Not said there: a process of this document has an identity, and demands one.
  expect((await heddle("explain", meshFile(""), "http://reviews/api/7")).out).toContain(
    "a caller without identity is refused with mtls_required",
  );
  const open = "    tls: { mode: disable }\n    inbound: { mtls: disable }\n";
  const { inbound } = JSON.parse((await heddle("explain", meshFile(open), "http://reviews/api/7", "--json")).out) as { inbound: unknown };
  expect(inbound).toEqual([]);
});

test("explain believes no token of an issuer that the service does not name", async () => {
  const claims = JSON.stringify({ iss: "https://evil.example", sub: "alice", groups: ["editors"] });
  const { out } = await heddle("explain", meshFile(GUARDED), "http://reviews/", "--from", WEB, "--claims", claims);
  expect(out).toContain(`at reviews, ${WEB} is refused with unauthenticated: the token is not valid: no rule names its issuer`);
});

test("explain takes no caller that is none, and no claims that are none", async () => {
  const file = meshFile(GUARDED);
  expect(await heddle("explain", file, "http://reviews/", "--from", "web")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--from: "),
  });
  expect(await heddle("explain", file, "http://reviews/", "--claims", "[]")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--claims: "),
  });
});

test("a document that demands an identity is valid without one here, and is looked at by doctor", async () => {
  const file = meshFile(GUARDED);
  expect(await heddle("validate", file)).toMatchObject({ code: 0 });
  const { out } = await heddle("doctor", "--config", file, "--json");
  const { findings } = JSON.parse(out) as { findings: { severity: string; what: string }[] };
  expect(findings.filter(({ what }) => /identity/i.test(what))).toMatchObject([
    { severity: "warning", what: expect.stringContaining("HEDDLE_IDENTITY is not set") },
  ]);
});

test("validate says that nobody knows who the servers of a service with mutual TLS are", async () => {
  const file = documentFile(`apiVersion: heddle/v1
services:
  reviews: { endpoints: [{ address: "127.0.0.1:9081" }], tls: { mode: mutual } }
`);
  const { code, out } = await heddle("validate", file);
  expect(out).toMatch(/error: .*nothing says who its servers are/);
  expect(code).toBe(1);
});
