import { createMesh, loadDocument, type Mesh, type MeshSnapshot, type Problem } from "@heddle/core";
import { type TestCertificateSource, testAuthority } from "@heddle/testing/authority";
import { afterEach, expect, test } from "vitest";
import { fakeTransport } from "../../packages/core/test/fake-transport.ts";
import { handSource } from "../../packages/core/test/hand-source.ts";

const closings: Mesh[] = [];
afterEach(async () => {
  for (const mesh of closings.splice(0)) await mesh.close();
});

function snapshotOf(trustDomain: string, more: object = {}): MeshSnapshot {
  const { snapshot } = loadDocument(
    {
      apiVersion: "heddle/v1",
      mesh: { trustDomain, identityTemplate: "spiffe://{trustDomain}/{service}" },
      services: { web: {}, reviews: { endpoints: [{ address: "127.0.0.1:9081" }] }, ...more },
    },
    "mesh.yaml",
  );
  if (snapshot === null) throw new Error("this test's document is wrong");
  return snapshot;
}

async function meshOf(trustDomain: string, identity: TestCertificateSource, more: object = {}) {
  const problems: Problem[] = [];
  const source = handSource(snapshotOf(trustDomain, more) as never);
  const mesh = createMesh({
    service: "web",
    config: source as never,
    transport: fakeTransport() as never,
    identity,
    onProblem: (problem) => void problems.push(problem),
  });
  closings.push(mesh);
  await mesh.ready();
  return { mesh, problems, edit: (next: string) => source.update(snapshotOf(next, more) as never) };
}

const BOTH =
  /expects the servers of web, reviews in the trust domain shop\.example, and the identity of this process is of heddle\.test \(spiffe:\/\/heddle\.test\/web\), with roots of heddle\.test:/;

test("an identity of another trust domain than the configuration's is told at start, in health too", async () => {
  const { mesh, problems } = await meshOf("shop.example", testAuthority({ trustDomain: "heddle.test" }).source("web"));
  expect(problems).toEqual([{ where: "mesh.yaml", message: expect.stringMatching(BOTH), severity: "error" }]);
  expect(mesh.health()).toMatchObject({ ok: false, because: [expect.stringMatching(/^identity: .*heddle\.test.*shop\.example/)] });
});

test("it is told with the edit that makes it so, and is over with the one that ends it", async () => {
  const { mesh, problems, edit } = await meshOf("heddle.test", testAuthority({ trustDomain: "heddle.test" }).source("web"));
  expect([problems, mesh.health().ok]).toEqual([[], true]);
  edit("shop.example");
  expect(problems).toEqual([expect.objectContaining({ message: expect.stringMatching(BOTH) })]);
  expect(mesh.health().ok).toBe(false);
  edit("heddle.test");
  expect(mesh.health().ok).toBe(true);
});

test("it is over when roots of the other trust domain come", async () => {
  const [authority, shop] = [testAuthority({ trustDomain: "heddle.test" }), testAuthority({ trustDomain: "shop.example" })];
  const { mesh } = await meshOf("shop.example", authority.source("web"));
  expect(mesh.health().ok).toBe(false);
  authority.trust(shop);
  expect(mesh.health().ok).toBe(true);
});

test("one service of a trust domain without roots is a warning, and the process stays ready", async () => {
  const bank = { endpoints: [{ address: "127.0.0.1:9082" }], identities: ["spiffe://bank.example/*"] };
  const { mesh, problems } = await meshOf("shop.example", testAuthority({ trustDomain: "shop.example" }).source("web"), { bank });
  expect(problems).toEqual([
    expect.objectContaining({ severity: "warning", message: expect.stringMatching(/of bank in the trust domain bank\.example/) }),
  ]);
  expect(mesh.health().ok).toBe(true);
});
