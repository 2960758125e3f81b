import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { HOUR, type IssuedCertificate, leaf, root } from "../../test/authority.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { type HandCertificates, handCertificates, type Roots, stateOf } from "../../test/workload.ts";
import type { Problem } from "../model/problem.ts";
import { seededRandom } from "../random.ts";
import type { CertificateState } from "./certificate-source.ts";
import { type IdentityChange, WorkloadIdentity } from "./workload-identity.ts";

const MINUTE = 60_000;
const DAY = 24 * HOUR;
const ID = "spiffe://shop.example/ns/shop/sa/web";
const FOR_YEARS = { notBeforeMs: 0, notAfterMs: 2_000 * DAY };
const shop = root("shop root", FOR_YEARS);
const shopNext = root("shop's next root", FOR_YEARS);

function state(untilMs: number, { fromMs = 0, roots = { "shop.example": [shop] } as Roots, issuer = shop } = {}): CertificateState {
  return stateOf([leaf(issuer, ID, { notBeforeMs: fromMs, notAfterMs: untilMs, serial: 0xab })], roots, fromMs);
}

function identity(first: CertificateState | null = null) {
  const clock = virtualClock();
  let jumpedMs = 0;
  const jumping = { ...clock, now: clock.now, wallTime: () => clock.wallTime() + jumpedMs };
  const source: HandCertificates = handCertificates(first);
  const problems: Problem[] = [];
  const changes: IdentityChange[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const held = new WorkloadIdentity({ source, clock: jumping, random: seededRandom(1), service: "web", report });
  held.onChange((change) => void changes.push(change));
  const jump = (ms: number) => {
    jumpedMs += ms;
  };
  return { clock, jump, source, problems, changes, held };
}

const WELL = { because: [], warnings: [] };
const gone = { where: "hand", message: "the file is gone", severity: "error" } as const;

describe("before the first certificate", () => {
  test("nothing is handed out, and the reason names the source and what it said last", () => {
    const { held, source } = identity();
    expect(held.isKnown).toBe(false);
    expect(() => held.inForce()).toThrow(
      expect.objectContaining({ code: "no_identity", message: "this process has no certificate: hand has given none yet" }),
    );
    source.problem(gone);
    expect(() => held.inForce()).toThrow("this process has no certificate: hand has given none yet; it said last: the file is gone");
    expect(held.health().because).toEqual(["identity: hand has given no certificate yet; it said last: the file is gone"]);
  });

  test("of a source that reads several files, the reason names the one that is wrong", () => {
    const { held, source } = identity();
    source.problem({ ...gone, where: "tls.key" });
    expect(held.health().because).toEqual(["identity: hand has given no certificate yet; it said last: tls.key: the file is gone"]);
  });

  test("what the source says is passed on", () => {
    const { source, problems } = identity();
    source.problem(gone);
    expect(problems).toEqual([gone]);
  });
});

describe("a certificate in force", () => {
  test("is handed out with its roots as long as it is valid", () => {
    const { held, clock } = identity(state(HOUR));
    expect(held.isKnown).toBe(true);
    clock.tick(HOUR);
    expect(held.inForce().certificate.id.text).toBe(ID);
    expect([...held.inForce().bundles.byTrustDomain.keys()]).toEqual(["shop.example"]);
  });

  test("is closed when it expires, and the reason says whose, when, signed by whom, and what the source said last", () => {
    const { held, clock, source } = identity(state(HOUR));
    source.problem(gone);
    clock.tick(HOUR + 1);
    const message = `this process has no certificate that is valid now: the certificate of ${ID} (serial AB, issued by "CN=shop root") expired 1970-01-01T01:00:00Z; hand has brought no other; it said last: the file is gone`;
    expect(() => held.inForce()).toThrow(expect.objectContaining({ code: "no_identity", message }));
  });

  test("is warned of with a fifth of its life left, and again when it has expired, once each, while the source says nothing", () => {
    const { held, clock, problems } = identity(state(10 * HOUR));
    clock.tick(8 * HOUR - 1);
    expect([problems, held.health()]).toEqual([[], WELL]);
    clock.tick(1);
    expect(problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      `warning: the certificate of ${ID} (serial AB, issued by "CN=shop root") expires 1970-01-01T10:00:00Z, in 2h; hand has brought no other`,
    ]);
    expect(held.health()).toEqual({ because: [], warnings: [expect.stringMatching(/^identity: the certificate .* in 2h; hand has/)] });
    clock.tick(2 * HOUR);
    expect(problems).toHaveLength(1);
    clock.tick(1);
    clock.tick(DAY);
    expect(problems.map(({ severity, where }) => `${severity} ${where}`)).toEqual(["warning hand", "error hand"]);
    expect(held.health().warnings).toEqual([]);
    expect(held.health().because).toEqual([
      `identity: the certificate of ${ID} (serial AB, issued by "CN=shop root") expired 1970-01-01T10:00:00Z; hand has brought no other`,
    ]);
  });

  test("is not warned of where another came in time", () => {
    const { clock, problems, source, held } = identity(state(10 * HOUR));
    clock.tick(5 * HOUR);
    source.update(state(15 * HOUR, { fromMs: 5 * HOUR }));
    clock.tick(8 * HOUR - 1);
    expect([problems, held.health()]).toEqual([[], WELL]);
    clock.tick(1);
    expect(problems).toHaveLength(1);
  });

  test("follows jumps of the wall clock at once, and says so within a minute", () => {
    const { held, clock, jump, problems } = identity(state(30 * DAY));
    jump(31 * DAY);
    expect(() => held.inForce()).toThrow("expired 1970-01-31T00:00:00Z");
    clock.tick(MINUTE);
    expect(problems.map(({ severity }) => severity)).toEqual(["error"]);
    jump(-31 * DAY);
    expect(held.inForce().certificate.id.text).toBe(ID);
  });

  test("counts as expired while a wall clock that is wrong says that it is not valid yet", () => {
    const { held, jump } = identity(state(2 * HOUR, { fromMs: HOUR }));
    expect(() => held.inForce()).toThrow("is not valid before 1970-01-01T01:00:00Z");
    jump(HOUR);
    expect(held.inForce().certificate.id.text).toBe(ID);
  });
});

describe("what a source gives next", () => {
  test("is in force at once, and the channels of before may last as long as the certificate they had", () => {
    const { held, source, changes } = identity(state(HOUR));
    const before = held.inForce().generation;
    const next = state(2 * HOUR);
    source.update(next);
    expect(held.inForce().certificate).toBe(next.certificate);
    expect(held.inForce().generation).toBeGreaterThan(before);
    expect(changes).toEqual([{ formerUntilMs: HOUR }]);
  });

  test("changes nothing if it is the same again", () => {
    const first = state(HOUR);
    const { held, source, changes } = identity(first);
    source.update({ ...first });
    expect([changes, held.inForce().generation]).toEqual([[], 1]);
  });

  test("is refused while the one in force is valid and it is not", () => {
    const { held, source, problems, changes, clock } = identity(state(2 * HOUR));
    clock.tick(HOUR + 1);
    source.update(state(HOUR));
    expect(held.inForce().certificate.notAfterMs).toBe(2 * HOUR);
    expect(changes).toEqual([]);
    expect(problems.map(({ message }) => message)).toEqual([
      `the certificate of ${ID} (serial AB, issued by "CN=shop root") expired 1970-01-01T01:00:00Z; the one before, certificate of ${ID} (serial AB, issued by "CN=shop root", until 1970-01-01T02:00:00Z), stays in force`,
    ]);
  });

  test("takes the place of one that is no longer valid, whatever it is", () => {
    const { held, source, clock } = identity(state(HOUR));
    clock.tick(HOUR + 1);
    source.update(state(4 * HOUR, { fromMs: 3 * HOUR }));
    expect(() => held.inForce()).toThrow("is not valid before");
    clock.tick(2 * HOUR);
    expect(held.inForce().certificate.notAfterMs).toBe(4 * HOUR);
  });

  test("takes trust from the channels of before where it withdraws a root, and not where it adds one", () => {
    const first = state(HOUR);
    const { source, changes, clock } = identity(first);
    const { certificate } = first;
    const rootsOf = (...roots: readonly IssuedCertificate[]) => state(HOUR, { roots: { "shop.example": roots } }).bundles;
    clock.tick(MINUTE);
    source.update({ certificate, bundles: rootsOf(shop, shopNext) });
    source.update({ certificate, bundles: rootsOf(shopNext) });
    expect(changes).toEqual([{ formerUntilMs: HOUR }, { formerUntilMs: MINUTE }]);
  });

  test("clears what it said last", () => {
    const { held, source } = identity(state(HOUR));
    source.problem(gone);
    expect(held.inspect().lastProblem).toBe("the file is gone");
    source.update(state(2 * HOUR));
    expect(held.inspect().lastProblem).toBe(null);
  });
});

describe("health of the roots", () => {
  const withRoots = (roots: Roots) => {
    const first = stateOf([leaf(shop, ID, { notBeforeMs: 0, notAfterMs: 1_999 * DAY })], roots, 0);
    return identity(first);
  };

  const told = (problems: readonly Problem[]) => problems.map(({ severity, where, message }) => `${severity} ${where}: ${message}`);

  test("warns of the last valid root of a trust domain 30 days before it expires, and of a partner's that is gone, once each", () => {
    const bank = root("bank root", { notBeforeMs: 0, notAfterMs: 1_000 * DAY });
    const older = root("bank's old root", { notBeforeMs: 0, notAfterMs: 100 * DAY });
    const { held, clock, problems } = withRoots({ "shop.example": [shop], "bank.example": [older, bank] });
    clock.block(970 * DAY);
    expect(held.health()).toEqual(WELL);
    clock.block(1);
    const ending = "the last valid root of bank.example expires 1972-09-27T00:00:00Z; hand has brought no other";
    expect(held.health()).toEqual({ because: [], warnings: [`identity: ${ending}`] });
    clock.tick(MINUTE);
    clock.tick(MINUTE);
    expect(told(problems)).toEqual([`warning hand: ${ending}`]);
    clock.block(30 * DAY);
    const ended = "none of the 2 roots of bank.example is valid now, so that nobody of it can be verified; hand has brought no other";
    expect(held.health()).toEqual({ because: [], warnings: [`identity: ${ended}`] });
    clock.tick(MINUTE);
    expect(told(problems)).toEqual([`warning hand: ${ending}`, `warning hand: ${ended}`]);
    expect(held.inspect().trustDomains).toEqual([
      { name: "shop.example", roots: 1, validRoots: 1 },
      { name: "bank.example", roots: 2, validRoots: 0 },
    ]);
  });

  test("is no more than warned of a last root of its own that will end, and bad once it has", () => {
    const { held, clock, problems } = withRoots({ "shop.example": [root("short root", { notBeforeMs: 0, notAfterMs: 1_000 * DAY })] });
    clock.block(999 * DAY);
    expect(held.health()).toEqual({ because: [], warnings: [expect.stringMatching(/the last valid root of shop\.example expires/)] });
    clock.block(2 * DAY);
    const ended = /none of the 1 roots of shop\.example is valid now/;
    expect(held.health()).toEqual({ because: [expect.stringMatching(ended)], warnings: [] });
    clock.tick(MINUTE);
    expect(told(problems)).toEqual([expect.stringMatching(ended)]);
    expect(problems[0]?.severity).toBe("error");
  });

  test("misses the roots of its own trust domain, and says so", () => {
    const { held, problems } = withRoots({ "bank.example": [shop] });
    const missing = `there are no roots of shop.example, the trust domain of ${ID}, so that nobody of it can be verified; hand has brought no other`;
    expect(held.health()).toEqual({ because: [`identity: ${missing}`], warnings: [] });
    expect(told(problems)).toEqual([`error hand: ${missing}`]);
  });
});

describe("inspection", () => {
  test("tells who, from whom and until when", () => {
    const { held } = identity(state(HOUR));
    expect(held.inspect()).toEqual({
      source: "hand",
      certificate: {
        id: ID,
        serial: "AB",
        issuer: "CN=shop root",
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
        notBefore: "1970-01-01T00:00:00Z",
        notAfter: "1970-01-01T01:00:00Z",
        isValid: true,
      },
      trustDomains: [{ name: "shop.example", roots: 1, validRoots: 1 }],
      generation: 1,
      lastProblem: null,
    });
  });

  test("has no key material, nor has the identity itself", () => {
    const issued = leaf(shop, ID, { notBeforeMs: 0, notAfterMs: HOUR });
    const { held } = identity(stateOf([issued], { "shop.example": [shop] }, 0));
    const secret = issued.privateKey.export({ format: "jwk" }).d ?? "nothing";
    for (const shown of [JSON.stringify(held.inspect()), JSON.stringify(held.inForce()), inspect(held, { depth: 9, showHidden: true })]) {
      expect(shown).not.toContain(secret);
      expect(shown).not.toMatch(/PRIVATE|PrivateKeyObject/);
    }
  });
});

test("close stops the source and leaves no timer; what was in force stays until it expires", () => {
  const { held, source, clock, problems, changes } = identity(state(HOUR));
  expect([source.isWatched, clock.pendingTimers]).toEqual([true, 1]);
  held.close();
  held.close();
  expect([source.isWatched, clock.pendingTimers]).toEqual([false, 0]);
  expect(held.inForce().certificate.id.text).toBe(ID);
  clock.tick(2 * HOUR);
  expect(() => held.inForce()).toThrow("expired");
  expect([problems, changes]).toEqual([[], []]);
});
