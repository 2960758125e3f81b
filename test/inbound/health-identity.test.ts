import { type CertificateSource, createMesh, type Problem } from "@heddle/core";
import { httpTransport, listen } from "@heddle/http";
import { type TestAuthority, testAuthority } from "@heddle/testing/authority";
import { expect, test } from "vitest";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** An authority whose root was made so long ago, and is for a year. */
function authorityOf(trustDomain: string, rootAgeMs: number): { authority: TestAuthority; setAgo(ms: number): void } {
  let agoMs = rootAgeMs;
  const authority = testAuthority({ trustDomain, clock: { wallTime: () => Date.now() - agoMs } });
  return {
    authority,
    setAgo: (ms) => {
      agoMs = ms;
    },
  };
}

async function readiness(identity: CertificateSource) {
  const problems: Problem[] = [];
  const config = { apiVersion: "heddle/v1", services: { reviews: {} } };
  const mesh = createMesh({
    service: "reviews",
    config,
    transport: httpTransport(),
    identity,
    onProblem: (problem) => problems.push(problem),
  });
  await mesh.ready();
  const { port } = await listen(mesh, (_request, response) => response.end(), { host: "127.0.0.1" });
  const reply = await fetch(`http://127.0.0.1:${port}/readyz`);
  const answer = { status: reply.status, body: await reply.json(), health: mesh.health(), problems };
  await mesh.close({ limit: 0 });
  return answer;
}

test("a process whose certificate, root or partner will fail gets traffic for as long as all is valid, and warns", async () => {
  const { authority, setAgo } = authorityOf("shop.example", 355 * DAY);
  authority.trust(authorityOf("bank.example", 400 * DAY).authority);
  setAgo(50 * MINUTE);
  const { status, body, health, problems } = await readiness(authority.source("reviews"));
  expect([status, body]).toEqual([200, { ok: true, because: [] }]);
  const expected = [
    /the certificate of spiffe:\/\/shop\.example\/reviews .* expires /,
    /the last valid root of shop\.example expires /,
    /none of the 1 roots of bank\.example is valid now/,
  ].map((words) => expect.stringMatching(words));
  expect(health).toEqual({ ok: true, because: [], warnings: expected });
  expect(problems.map(({ severity }) => severity)).toEqual(["warning", "warning", "warning"]);
  expect(problems.map(({ message }) => message)).toEqual(expect.arrayContaining(expected));
});

test("a process by whose roots nobody of its own trust domain can be verified gets no traffic", async () => {
  const ours = testAuthority({ trustDomain: "shop.example" }).source("reviews");
  const bundles = testAuthority({ trustDomain: "bank.example" }).bundles();
  const { status, body } = await readiness({
    name: "confused",
    watch: (sink) => ours.watch({ ...sink, update: ({ certificate }) => sink.update({ certificate, bundles }) }),
  });
  expect([status, body]).toEqual([503, { ok: false, because: [expect.stringMatching(/there are no roots of shop\.example/)] }]);
});
