import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { HOUR, leaf, NOW, root } from "../../test/authority.ts";
import { FakeFiles } from "../../test/fake-files.ts";
import { type IssuedSet, setIssuer } from "../../test/set-issuer.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { Problem } from "../model/problem.ts";
import { seededRandom } from "../random.ts";
import { identityFiles } from "./certificate-files.ts";
import type { IdentityFilesOptions } from "./certificate-files-options.ts";
import type { CertificateState } from "./certificate-source.ts";

const DAY = 24 * HOUR;
const APART = { cert: "tls.crt", key: "tls.key", bundle: "ca.crt" };

function apart({ certificate, root: authority }: IssuedSet): Record<string, string> {
  return { "tls.crt": certificate.pem, "tls.key": certificate.keyPem, "ca.crt": authority.pem };
}

/** A source over fake files, in virtual time that begins at {@link NOW}. */
function follow(options: IdentityFilesOptions, first: Readonly<Record<string, string>>, files = new FakeFiles()) {
  const time = virtualClock();
  const clock = { ...time, wallTime: () => NOW + time.now() };
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  files.write(first);
  const close = identityFiles(options, files).watch(
    { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
    { clock, random: seededRandom(1), service: "web" },
  );
  const said = () => problems.map(({ where, message }) => `${where}: ${message}`);
  const told = () => states.map(({ certificate }) => certificate.fingerprint);
  return { files, states, problems, said, told, close, pass: (ms: number) => time.advance(ms), timers: () => time.pendingTimers };
}

describe("identityFiles", () => {
  test("tells a whole set at once, and the next within 200 ms of its last file", async () => {
    const issuer = setIssuer(NOW);
    const first = issuer.current;
    const { files, told, problems, pass } = follow(APART, apart(first));
    expect(told()).toEqual([first.fingerprint]);
    const second = issuer.rotate();
    files.write({ "tls.crt": second.certificate.pem });
    await pass(300);
    expect(told()).toEqual([first.fingerprint]);
    files.write({ "tls.key": second.certificate.keyPem });
    await pass(200);
    expect(told()).toEqual([first.fingerprint, second.fingerprint]);
    expect(problems).toEqual([]);
  });

  test.each<[string, IdentityFilesOptions, (set: IssuedSet) => Record<string, string>]>([
    [
      "certificate and key in one file beside the roots",
      { pem: "all.pem", bundle: "ca.crt" },
      ({ certificate, root: ca }) => ({ "all.pem": certificate.keyPem + certificate.pem, "ca.crt": ca.pem }),
    ],
    [
      "the same file as cert and key",
      { cert: "all.pem", key: "all.pem", bundle: "ca.crt" },
      ({ certificate, root: ca }) => ({ "all.pem": certificate.pem + certificate.keyPem, "ca.crt": ca.pem }),
    ],
    [
      "everything in one file, a root of before among it",
      { pem: "all.pem" },
      ({ certificate, root: ca }) => ({
        "all.pem": `# made by hand\n${certificate.pem}${ca.pem}${root("old", { notAfterMs: NOW + DAY }).pem}${certificate.keyPem}`,
      }),
    ],
    [
      "bundles by trust domain",
      { cert: "tls.crt", key: "tls.key", bundle: { "shop.example": "ca.crt", "spiffe://partner.example": "partner.crt" } },
      (set) => ({ ...apart(set), "partner.crt": root("partner").pem }),
    ],
  ])("reads %s", (_, options, write) => {
    const { current } = setIssuer(NOW);
    const { states, problems } = follow(options, write(current));
    expect(problems).toEqual([]);
    expect(states[0]?.certificate.fingerprint).toBe(current.fingerprint);
    expect(states[0]?.bundles.byTrustDomain.get("shop.example")?.roots.map(({ der }) => der)).toContainEqual(current.root.der);
    if (typeof options.bundle === "object") expect(states[0]?.bundles.byTrustDomain.get("partner.example")?.roots).toHaveLength(1);
  });

  test("tells nothing for unchanged content, and of new roots alone a state with the same certificate", async () => {
    const issuer = setIssuer(NOW);
    const set = issuer.current;
    const { files, states, pass } = follow(APART, apart(set));
    files.write(apart(set));
    files.write({ "ca.crt": `# a comment\n${set.root.pem}` });
    await pass(10_000);
    expect(states).toHaveLength(1);
    files.write({ "ca.crt": set.root.pem + root("next", { notAfterMs: NOW + DAY }).pem });
    await pass(300);
    expect(states).toHaveLength(2);
    expect(states[1]?.certificate).toBe(states[0]?.certificate);
    expect(states[1]?.bundles).not.toBe(states[0]?.bundles);
  });

  test.each([true, false])("finds what watching missed in any of the files (something is watched: %s)", async (hasEvents) => {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const issuer = setIssuer(NOW);
    const { files, states, told, pass } = follow(APART, apart(issuer.rotate({ keys })), Object.assign(new FakeFiles(), { hasEvents }));
    files.hasEvents = false;
    files.write({ "tls.crt": issuer.rotate({ keys }).certificate.pem });
    await pass(1_200);
    expect(told().at(-1)).toBe(issuer.current.fingerprint);
    files.write({ "ca.crt": issuer.current.root.pem + root("next").pem });
    await pass(1_200);
    expect(states.at(-1)?.bundles.byTrustDomain.get("shop.example")?.roots).toHaveLength(2);
  });
});

/** What may stand in the files by mistake, where it is reported, and what is said. */
const TROUBLE: readonly [string, (next: IssuedSet) => Record<string, string | undefined>, string, string][] = [
  ["a key of another certificate", (next) => ({ "tls.key": next.certificate.keyPem }), "tls.key:1", "the private key does not belong to"],
  ["a certificate cut short", (next) => ({ "tls.crt": next.certificate.pem.slice(0, 200) }), "tls.crt:1", "cut short"],
  ["an empty certificate", () => ({ "tls.crt": "" }), "tls.crt", "no certificate, expected at least that of the workload"],
  ["an empty key", () => ({ "tls.key": "" }), "tls.crt", "no private key, expected one of"],
  ["a key that is gone", () => ({ "tls.key": undefined }), "tls.key", "the file does not exist, expected the private key as PEM"],
  ["roots that are gone", () => ({ "ca.crt": undefined }), "ca.crt", "the file does not exist, expected the roots of the trust domain"],
  ["roots of another authority", () => ({ "ca.crt": root("foreign").pem }), "tls.crt", "has no path to a root of shop.example"],
  [
    "another authority of the same name",
    () => ({ "ca.crt": root("root of the test").pem }),
    "tls.crt",
    "expected the roots of the certificate's own authority",
  ],
  ["a leaf among the roots", (next) => ({ "ca.crt": next.certificate.pem }), "ca.crt:1", "is no authority"],
  [
    "an expired certificate",
    ({ root: ca }) => {
      const old = leaf(ca, "spiffe://shop.example/web", { notAfterMs: NOW - 1_000 });
      return { "tls.crt": old.pem, "tls.key": old.keyPem };
    },
    "tls.crt:1",
    "expired 2026-01-15T11:59:59Z; it is now 2026-01-15T12:00:00",
  ],
];

describe("a set that cannot be used", () => {
  test.each(TROUBLE)(
    "%s is reported once, with what happens now, and the last good stays until all is whole",
    async (_, broken, where, said) => {
      const issuer = setIssuer(NOW);
      const { files, problems, states, pass, told } = follow(APART, apart(issuer.current));
      const first = issuer.current;
      files.write(broken(issuer.rotate()));
      await pass(900);
      expect(problems).toEqual([]);
      await pass(60_000);
      expect(problems).toEqual([{ where, message: expect.stringContaining(said), severity: "error" }]);
      expect(problems[0]?.message).toMatch(
        new RegExp(
          `; the last good certificate and roots, of spiffe://shop.example/web \\(serial ${states[0]?.certificate.serial}\\), stay in force until 2026-01-16T12:00:00Z$`,
        ),
      );
      expect(states).toHaveLength(1);
      files.write(apart(first));
      await pass(300);
      expect(told()).toEqual([first.fingerprint, first.fingerprint]);
      expect(states[1]).toBe(states[0]);
    },
  );

  test("is reported at once at the start, and waited for", async () => {
    const issuer = setIssuer(NOW);
    const { files, said, told, pass } = follow(APART, {});
    expect(said()).toEqual([
      "ca.crt: the file does not exist, expected the roots of the trust domain as PEM; there is no identity until the files are whole, which are followed",
    ]);
    files.write(apart(issuer.current));
    await pass(200);
    expect(told()).toEqual([issuer.current.fingerprint]);
    expect(said()).toHaveLength(1);
  });

  test("half of a rotation is not reported when the rest comes within a second", async () => {
    const issuer = setIssuer(NOW);
    const { files, problems, told, pass } = follow(APART, apart(issuer.current));
    const next = issuer.replaceRoot();
    for (const [path, text] of Object.entries(apart(next))) {
      files.write({ [path]: text.slice(0, 100) });
      await pass(150);
      files.write({ [path]: text });
      await pass(150);
    }
    await pass(5_000);
    expect(problems).toEqual([]);
    expect(told().at(-1)).toBe(next.fingerprint);
    expect(told()).toHaveLength(2);
  });

  test("that becomes another set that cannot be used is reported again", async () => {
    const { files, said, pass } = follow(APART, apart(setIssuer(NOW).current));
    files.write({ "tls.key": undefined });
    await pass(2_000);
    files.makeUnreadable("tls.key", "EACCES: permission denied");
    await pass(2_000);
    expect(said()).toEqual([
      expect.stringContaining("tls.key: the file does not exist"),
      expect.stringContaining(
        "tls.key: the file cannot be read: EACCES: permission denied; expected the private key as PEM; the last good",
      ),
    ]);
  });

  test("that is not valid yet is told when it is", async () => {
    const issuer = setIssuer(NOW);
    const early = issuer.rotate({ notBeforeMs: NOW + 30_000 });
    const { said, told, pass } = follow(APART, apart(early));
    expect(said()).toEqual([expect.stringContaining("tls.crt:1: the certificate")]);
    expect(said()[0]).toContain("is not valid before 2026-01-15T12:00:30Z");
    await pass(29_000);
    expect(told()).toEqual([]);
    await pass(6_000);
    expect(told()).toEqual([early.fingerprint]);
    expect(said()).toHaveLength(1);
  });

  test("says that there is no identity left when the last good one has expired", async () => {
    const issuer = setIssuer(NOW);
    issuer.rotate({ notAfterMs: NOW + 10_000 });
    const { files, problems, pass } = follow(APART, apart(issuer.current));
    await pass(11_000);
    files.write({ "tls.crt": "" });
    await pass(2_000);
    expect(problems.at(-1)?.message).toMatch(/expired 2026-01-15T12:00:10Z: there is no identity until the files are whole/);
  });

  test("a bundle for others alone is refused, for it must know its own trust domain", () => {
    const set = setIssuer(NOW).current;
    const { said } = follow({ ...APART, bundle: { "partner.example": "ca.crt" } }, apart(set));
    expect(said()).toEqual([
      expect.stringContaining("there is no bundle of shop.example, the certificate's own trust domain; found those of partner.example"),
    ]);
  });

  test("one file without a root and without a bundle is refused", () => {
    const { certificate } = setIssuer(NOW).current;
    const { said } = follow({ pem: "all.pem" }, { "all.pem": certificate.pem + certificate.keyPem });
    expect(said()).toEqual([expect.stringContaining("all.pem holds no root, expected the self-signed certificates of shop.example in it")]);
  });
});

describe("a set that changes while it is read", () => {
  test("is read again, never told in halves", async () => {
    const issuer = setIssuer(NOW);
    const files = new FakeFiles();
    const { told, problems, pass } = follow(APART, apart(issuer.current), files);
    const [second, third] = [issuer.rotate(), issuer.replaceRoot()];
    let swaps = 0;
    const begin = files.reads;
    files.onRead = (reads) => {
      // The link is turned after the first file of this reading was read.
      if (reads === begin + 1 && swaps++ === 0) files.write(apart(third));
    };
    files.write(apart(second));
    await pass(500);
    expect(swaps).toBe(1);
    expect(told().at(-1)).toBe(third.fingerprint);
    expect(told()).toHaveLength(2);
    expect(problems).toEqual([]);
  });

  test("a bundle that changed after it was read is not told with the certificate that came with another", async () => {
    const issuer = setIssuer(NOW);
    const set = issuer.current;
    const files = new FakeFiles();
    const options = { ...APART, bundle: { "shop.example": "ca.crt", "partner.example": "partner.crt" } };
    const [before, after] = [root("partner before").pem, root("partner after").pem];
    files.onRead = (reads) => {
      if (reads === 2) files.write({ "partner.crt": after });
    };
    const { states } = follow(options, { ...apart(set), "partner.crt": before }, files);
    expect(states).toHaveLength(1);
    expect(states[0]?.bundles.byTrustDomain.get("partner.example")?.roots[0]?.x509.subject).toBe("CN=partner after");
  });

  test("and never stops changing is reported once, and told when it stands still", async () => {
    const issuer = setIssuer(NOW);
    const files = new FakeFiles();
    const set = issuer.current;
    files.onRead = () => files.write({ "ca.crt": set.root.pem });
    const { said, told, pass } = follow(APART, apart(set), files);
    await pass(20_000);
    expect(said()).toEqual([expect.stringContaining("the files change faster than they can be read")]);
    files.onRead = () => {};
    await pass(6_000);
    expect(told()).toEqual([set.fingerprint]);
  });
});

describe("warnings", () => {
  test("a certificate with a fifth of its life left and nothing new is reported once, and is no problem once replaced", async () => {
    const issuer = setIssuer(NOW);
    const first = issuer.rotate({ notBeforeMs: NOW - HOUR, notAfterMs: NOW + HOUR });
    const { files, problems, pass } = follow(APART, apart(first));
    await pass(0.6 * HOUR - 10_000);
    expect(problems).toEqual([]);
    await pass(20_000);
    const expected = {
      where: "tls.crt",
      severity: "warning",
      message: expect.stringMatching(
        /^the certificate of spiffe:\/\/shop\.example\/web .* expires 2026-01-15T13:00:00Z and has less than a fifth/,
      ),
    };
    expect(problems).toEqual([expected]);
    await pass(0.1 * HOUR);
    files.write(apart(issuer.rotate()));
    await pass(HOUR);
    expect(problems).toHaveLength(1);
  });

  test("a key that everybody may read is reported once, after the state, which is told all the same", async () => {
    const issuer = setIssuer(NOW);
    const files = Object.assign(new FakeFiles(), { mode: 0o644 });
    const { states, said, pass } = follow(APART, apart(issuer.current), files);
    expect(states).toHaveLength(1);
    files.write(apart(issuer.rotate()));
    await pass(1_000);
    expect(states).toHaveLength(2);
    expect(said()).toEqual([
      "tls.key: the private key can be read by every user of this machine: found mode 0644, expected 0600 or 0640; it is used all the same",
    ]);
  });
});

test("closing ends watches and timers, whatever was going on", async () => {
  const issuer = setIssuer(NOW);
  const { files, close, pass, timers, states, problems } = follow(APART, apart(issuer.current));
  files.write({ "tls.key": "" });
  await pass(100);
  files.write(apart(issuer.rotate()));
  close();
  close();
  expect(timers()).toBe(0);
  expect(files.watches).toBe(0);
  files.write({ "tls.key": "" });
  await pass(60_000);
  expect(states).toHaveLength(1);
  expect(problems).toEqual([]);
});

describe("wrong options", () => {
  const wrong = (options: unknown) => () => identityFiles(options as IdentityFilesOptions, new FakeFiles());
  test.each<[unknown, string]>([
    [undefined, "expected { cert, key, bundle } or { pem }"],
    [{}, "cert: found a value of type undefined, expected the path of a file"],
    [{ cert: "a", key: "b" }, "bundle: found a value of type undefined"],
    [{ cert: "a", key: "", bundle: "c" }, "key: found an empty text"],
    [{ cert: "a", key: "b", bundel: "c" }, 'there is no option "bundel"; did you mean "bundle"?'],
    [{ pem: "a", key: "b" }, 'with pem: there is no option "key"'],
    [{ pem: "a", bundle: {} }, "bundle names no trust domain"],
    [{ pem: "a", bundle: { "A.example": "c" } }, 'trust domain "A.example"'],
    [{ pem: "a", bundle: { a: "c", "spiffe://a": "d" } }, "bundle names a twice"],
    [{ pem: "a", bundle: { a: 1 } }, "bundle of a: found a value of type number"],
    [{ pem: "a", bundle: null }, "bundle: found null"],
  ])("%j is refused", (options, said) => {
    expect(wrong(options)).toThrow(TypeError);
    expect(wrong(options)).toThrow(said);
  });

  test("the content of a key file in the place of its path is not shown", () => {
    const { keyPem } = setIssuer(NOW).current.certificate;
    for (const key of [keyPem, Buffer.from(keyPem), { keyPem }])
      for (const options of [{ cert: "a", key, bundle: "c" }, { pem: key }])
        expect(wrong(options)).toThrow(/^identity\.files: (key|pem): found (what is no path|a value of type object)[^A-Z]*$/);
  });
});
