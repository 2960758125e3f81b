import { X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { type CertificateState, parseCertificate, readCertificate, type TrustBundles } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { peerVerifier } from "../../../core/src/identity/verify-peer.ts";
import { certificateSourceContract } from "../contract-certificates.ts";
import { virtualClock } from "../virtual-clock.ts";
import { type TestAuthority, testAuthority } from "./test-authority.ts";
import type { TestCertificate } from "./test-certificate.ts";
import { WRONG_CERTIFICATES, type WrongCertificate } from "./wrong-certificates.ts";

const START = Date.UTC(2026, 0, 15, 12);
const clock = { wallTime: () => START };

type Side = "server" | "client";

function verdict(certificate: TestCertificate, bundles: TrustBundles, purpose: Side = "server", nowMs = START) {
  return peerVerifier().verify({ presented: certificate.chain, bundles, nowMs, purpose, expected: null });
}

function isAccepted(certificate: TestCertificate, by: TestAuthority | TrustBundles): boolean {
  const bundles = "byTrustDomain" in by ? by : by.bundles();
  return verdict(certificate, bundles, "server").ok && verdict(certificate, bundles, "client").ok;
}

function watching(source: ReturnType<TestAuthority["source"]>): CertificateState[] {
  const states: CertificateState[] = [];
  source.watch({ update: (state) => states.push(state), problem: () => undefined });
  return states;
}

describe("issue", () => {
  const authority = testAuthority({ clock });

  test("gives services and IDs of the trust domain certificates that verify, from the root and through an intermediate", () => {
    expect(authority.issue("web").id.text).toBe("spiffe://shop.test/web");
    for (const certificate of [
      authority.issue("web"),
      authority.issue("spiffe://shop.test/ns/a/sa/b"),
      authority.issue("web", { intermediate: true }),
    ])
      expect(isAccepted(certificate, authority)).toBe(true);
    expect(authority.issue("web", { intermediate: true }).chain).toHaveLength(2);
  });

  test("gives them the life that was asked for, and what node:tls takes", () => {
    const certificate = authority.issue("web", { lifetime: "90s" });
    const read = readCertificate([{ text: certificate.certPem + certificate.keyPem, from: "the test" }], START);
    expect(read).toMatchObject({ ok: true, value: { id: { text: "spiffe://shop.test/web" }, notAfterMs: START + 90_000 } });
    expect(new X509Certificate(authority.bundlePem()).ca).toBe(true);
  });

  test.each(["", "a b", "spiffe://other.test/web", "spiffe://shop.test"])("refuses %j", (wrong) => {
    expect(() => authority.issue(wrong)).toThrow(TypeError);
  });

  test("shows no key where it is inspected", () => {
    const certificate = authority.issue("web");
    const secret = certificate.keyPem.split("\n")[1] ?? "none";
    expect(inspect([certificate, authority], { depth: 9, showHidden: true }) + JSON.stringify(certificate)).not.toContain(secret);
    expect(inspect(certificate, { showHidden: true })).not.toContain("PrivateKeyObject");
  });
});

test("a kind of wrong certificate that there is not is a TypeError with those that there are", () => {
  expect(() => testAuthority().wrong("nope" as WrongCertificate, "web")).toThrow(
    new TypeError(`authority.wrong: no certificate is wrong as "nope"; there are ${Object.keys(WRONG_CERTIFICATES).join(", ")}`),
  );
  expect(() => testAuthority().wrong("exspired" as WrongCertificate, "web")).toThrow(/"exspired"; did you mean "expired"\? there are/);
});

describe("a wrong certificate", () => {
  const authority = testAuthority({ clock });
  const refusals: Readonly<Record<Exclude<WrongCertificate, "wrong-key">, string>> = {
    expired: "not_valid_now",
    "not-yet-valid": "not_valid_now",
    "two-ids": "not_an_svid",
    "no-id": "not_an_svid",
    "dns-name-alone": "not_an_svid",
    "id-of-trust-domain": "not_an_svid",
    "malformed-id": "not_an_svid",
    "other-trust-domain": "unknown_trust_domain",
    authority: "not_an_svid",
    "signs-certificates": "not_an_svid",
    "no-key-usage": "not_an_svid",
    "no-digital-signature": "not_an_svid",
    "other-purpose": "not_an_svid",
    "server-alone": "not_an_svid",
    "client-alone": "not_an_svid",
    "weak-signature": "untrusted",
    "foreign-authority": "untrusted",
    forged: "untrusted",
    "self-signed": "untrusted",
    "signed-by-leaf": "untrusted",
    "path-too-long": "untrusted",
    "expired-intermediate": "untrusted",
    "missing-intermediate": "untrusted",
  };
  const kinds = Object.entries(refusals) as readonly (readonly [WrongCertificate, string])[];

  test.each(kinds)("%s is refused as %s, on the side that may not present it", (kind, code) => {
    const certificate = authority.wrong(kind, "web");
    const { wrongAs } = WRONG_CERTIFICATES[kind];
    for (const side of ["server", "client"] as const) {
      const isWrong = wrongAs === null || wrongAs === side;
      expect(verdict(certificate, authority.bundles(), side), side).toMatchObject(isWrong ? { ok: false, code } : { ok: true });
    }
  });

  test("of another's key is one that its key does not belong to, and nothing else", () => {
    const certificate = authority.wrong("wrong-key", "web");
    expect(isAccepted(certificate, authority)).toBe(true);
    expect(new X509Certificate(certificate.chain[0]).checkPrivateKey(certificate.privateKey)).toBe(false);
  });

  test.each(kinds)("%s is wrong in that alone: its key belongs to it, and it names whom it pretends to be or says why not", (kind) => {
    const certificate = authority.wrong(kind, "web");
    const leaf = parseCertificate(certificate.chain[0]);
    if (!leaf.ok) throw new Error(leaf.reason);
    expect(leaf.value.x509.checkPrivateKey(certificate.privateKey)).toBe(true);
    expect(certificate.workload().privateKey.equals(certificate.privateKey)).toBe(true);
    expect(WRONG_CERTIFICATES[kind].about).toMatch(/^\S.*[^.]$/);
  });
});

describe("a source", () => {
  test("tells at once what holds, then every rotation, with the same bundles", () => {
    const authority = testAuthority({ clock });
    const source = authority.source("web");
    const states = watching(source);
    const rotated = source.rotate();
    expect(states).toHaveLength(2);
    expect(states[1]?.certificate.chain[0]).toEqual(rotated.chain[0]);
    expect(states[1]?.bundles).toBe(states[0]?.bundles);
  });

  test("can be made to expire, to present what is wrong, and to break", () => {
    const authority = testAuthority({ clock });
    const source = authority.source("web");
    const problems: string[] = [];
    const states: CertificateState[] = [];
    const close = source.watch({ update: (state) => states.push(state), problem: ({ message }) => problems.push(message) });
    source.expire();
    expect(states[1]?.certificate.notAfterMs).toBe(START - 1_000);
    source.present(authority.wrong("two-ids", "web"));
    expect(verdict(source.current, authority.bundles())).toMatchObject({ code: "not_an_svid" });
    source.break("the socket is gone");
    authority.addRoot();
    expect([states.length, problems]).toEqual([3, ["the socket is gone"]]);
    close();
    source.rotate();
    source.break("again");
    expect([states.length, problems.length]).toEqual([3, 1]);
  });

  certificateSourceContract({
    name: "the test authority's source",
    test,
    open() {
      const time = virtualClock();
      const authority = testAuthority({ clock: time });
      const source = authority.source("web");
      const fingerprint = (): string => source.current.workload().fingerprint;
      return {
        source,
        clock: time,
        service: "web",
        async rotate() {
          source.rotate();
          return fingerprint();
        },
        async replaceRoots() {
          authority.replaceRoot({ overlap: false });
          return fingerprint();
        },
        breakIt: async () => source.break("broken"),
        mend: async () => source.mend(),
        pass: (ms) => time.advance(ms),
        close: async () => {},
      };
    },
  });
});

describe("roots", () => {
  test("change without a moment in which one side refuses the other: added, signed with, then alone", () => {
    const authority = testAuthority({ clock });
    const states = watching(authority.source("web"));
    const others = watching(authority.source("reviews"));
    authority.addRoot();
    authority.replaceRoot();
    authority.retireOldRoots();
    expect(states.length).toBeGreaterThanOrEqual(4);
    const step = (told: readonly CertificateState[], index: number) => told[index] ?? told.at(-1);
    for (let index = 0; index < states.length; index += 1) {
      for (const other of [index - 1, index, index + 1].filter((each) => each >= 0)) {
        const [mine, theirs] = [step(states, index), step(others, other)];
        if (mine === undefined || theirs === undefined) throw new Error("no state");
        const presented = theirs.certificate.chain;
        const answer = peerVerifier().verify({ presented, bundles: mine.bundles, nowMs: START, purpose: "client", expected: null });
        expect(answer, `state ${index} of one and ${other} of the other`).toMatchObject({ ok: true });
      }
    }
  });

  test("retired are trusted no more, and replaced without overlap are not either", () => {
    const authority = testAuthority({ clock });
    const first = authority.issue("web");
    authority.replaceRoot();
    expect(isAccepted(first, authority)).toBe(true);
    authority.retireOldRoots();
    expect(isAccepted(first, authority)).toBe(false);
    const second = authority.issue("web");
    expect(isAccepted(second, authority)).toBe(true);
    authority.replaceRoot({ overlap: false });
    expect(isAccepted(second, authority)).toBe(false);
    expect(isAccepted(authority.issue("web"), authority)).toBe(true);
  });

  test("cross-signed are accepted by who knows the old one alone", () => {
    const authority = testAuthority({ clock });
    const old = authority.bundles();
    authority.replaceRoot();
    expect(isAccepted(authority.issue("web"), old)).toBe(false);
    authority.replaceRoot({ crossSign: true });
    expect(isAccepted(authority.issue("web"), authority)).toBe(true);
    expect(isAccepted(authority.issue("web"), old)).toBe(false);
    const again = testAuthority({ clock });
    const known = again.bundles();
    again.replaceRoot({ crossSign: true });
    expect(isAccepted(again.issue("web"), known)).toBe(true);
    expect(isAccepted(again.issue("web"), again)).toBe(true);
  });

  test("of another authority are trusted for its own trust domain, while it is told to", () => {
    const shop = testAuthority({ clock });
    const bank = testAuthority({ clock, trustDomain: "bank.test" });
    const states = watching(shop.source("web"));
    const teller = bank.issue("teller");
    expect(isAccepted(teller, shop)).toBe(false);
    shop.trust(bank);
    expect(isAccepted(teller, shop)).toBe(true);
    expect(isAccepted(shop.issue("web"), bank)).toBe(false);
    bank.replaceRoot({ overlap: false });
    expect(states.at(-1)?.bundles).toBe(shop.bundles());
    expect(isAccepted(teller, shop)).toBe(false);
    shop.distrust(bank);
    expect([...shop.bundles().byTrustDomain.keys()]).toEqual(["shop.test"]);
    expect(states.at(-1)?.bundles).toBe(shop.bundles());
  });

  test("signed by another's make what that signs for its trust domain its own", () => {
    const shop = testAuthority({ clock });
    const usurper = testAuthority({ clock });
    const certificate = usurper.issue("web");
    expect(isAccepted(certificate, shop)).toBe(false);
    const presented = [...certificate.chain, shop.crossSign(usurper)];
    expect(peerVerifier().verify({ presented, bundles: shop.bundles(), nowMs: START, purpose: "server", expected: null })).toMatchObject({
      ok: true,
    });
  });
});

test("an option that there is not is a mistake", () => {
  expect(() => testAuthority({ trustdomain: "a" } as object)).toThrow('did you mean "trustDomain"');
  expect(() => testAuthority({ trustDomain: "A" })).toThrow(TypeError);
});
