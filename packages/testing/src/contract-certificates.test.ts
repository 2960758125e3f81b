import { AssertionError } from "node:assert/strict";
import {
  type CertificateListener,
  type CertificateSource,
  type CertificateState,
  type Clock,
  readCertificate,
  readTrustBundle,
  seededRandom,
  type TrustBundles,
  trustBundles,
} from "@heddle/core";
import { expect, test } from "vitest";
import { type IssuedSet, setIssuer } from "../../core/test/set-issuer.ts";
import type { CertificateSourceHarness } from "./contract/certificate-harness.ts";
import { certificateSourceChecks, certificateSourceContract } from "./contract-certificates.ts";
import { fakeCertificateSource } from "./fake-certificate-source.ts";
import { virtualClock } from "./virtual-clock.ts";

function stateOf({ certificate, root }: IssuedSet, nowMs: number, previous?: TrustBundles): CertificateState {
  const own = readCertificate([{ text: certificate.pem + certificate.keyPem, from: "the test" }], nowMs);
  if (!own.ok) throw new Error(own.reason);
  const bundle = readTrustBundle(own.value.id.trustDomain, [{ text: root.pem, from: "the test" }]);
  if (!bundle.ok) throw new Error(bundle.reason);
  return { certificate: own.value, bundles: trustBundles([bundle.value], previous) };
}

function harness(): CertificateSourceHarness {
  const clock = virtualClock();
  const issuer = setIssuer(clock.wallTime());
  let last = stateOf(issuer.current, clock.wallTime());
  const source = fakeCertificateSource(last);
  const tell = (): string => {
    last = stateOf(issuer.current, clock.wallTime(), last.bundles);
    source.update(last);
    return issuer.current.fingerprint;
  };
  return {
    source,
    clock,
    async rotate() {
      issuer.rotate();
      return tell();
    },
    async replaceRoots() {
      issuer.replaceRoot();
      return tell();
    },
    breakIt: async () => source.break("the key belongs to another certificate"),
    mend: async () => source.mend(),
    openHandles: () => source.watchers,
    pass: (ms) => clock.advance(ms),
    close: async () => {},
  };
}

certificateSourceContract({ name: "the fake certificate source", test, open: harness });

type Break = (source: CertificateSource) => CertificateSource;
type Wrap = (listener: CertificateListener, clock: Clock) => Partial<CertificateListener>;

const watching =
  (watch: (inner: CertificateSource) => CertificateSource["watch"]): Break =>
  (source) => ({ name: source.name, watch: watch(source) });
/** Tells something else than it should. */
const telling = (wrap: Wrap): Break =>
  watching(
    (inner) => (listener, around) =>
      inner.watch(
        {
          update: (state) => listener.update(state),
          problem: (problem) => listener.problem(problem),
          ...wrap(listener, around.clock),
        },
        around,
      ),
  );
const changing = (change: (state: CertificateState) => CertificateState): Break =>
  telling((listener) => ({ update: (state) => listener.update(change(state)) }));

const silent = watching(() => () => () => {});
const talksOn = watching((inner) => (listener, around) => {
  inner.watch(listener, around);
  return () => {};
});
const talksOnUntilNextTick = watching((inner) => (listener, around) => {
  const close = inner.watch(listener, around);
  return () => void around.clock.setTimer(1_000, close);
});
const repeats = telling((listener) => ({
  update(state) {
    listener.update(state);
    listener.update(state);
  },
}));
const leaksTimers = watching((inner) => (listener, around) => {
  around.clock.setTimer(3_600_000, () => {});
  return inner.watch(listener, around);
});
const leaksHandles = watching((inner) => (listener, around) => {
  inner.watch({ update: () => {}, problem: () => {} }, around);
  return inner.watch(listener, around);
});
const onlyFirst = telling((listener) => {
  let count = 0;
  return { update: (state) => void (count++ === 0 && listener.update(state)) };
});
const late = telling((listener, clock) => ({ update: (state) => void clock.setTimer(20, () => listener.update(state)) }));
const olderLater = telling((listener, clock) => {
  let delay = 200;
  return {
    update(state) {
      if (delay < 200) clock.setTimer(delay, () => listener.update(state));
      else listener.update(state);
      delay -= 10;
    },
  };
});
const hidesProblems = telling(() => ({ problem: () => {} }));
const nags = telling((listener, clock) => ({
  problem(problem) {
    listener.problem(problem);
    clock.setTimer(5_000, () => listener.problem(problem));
  },
}));
const quotesTheKey = telling((listener) => ({
  problem: (problem) => listener.problem({ ...problem, message: `cannot read ${"MIGHAgEAMBMGByqGSM49AgEG".repeat(4)}` }),
}));
const repeatsOnTrouble = telling((listener) => {
  let last: CertificateState | undefined;
  return {
    update(state) {
      last = state;
      listener.update(state);
    },
    problem(problem) {
      if (last) listener.update(last);
      listener.problem(problem);
    },
  };
});
const stuckAfterTrouble = telling((listener) => {
  let hasFailed = false;
  return {
    update: (state) => void (hasFailed || listener.update(state)),
    problem(problem) {
      hasFailed = true;
      listener.problem(problem);
    },
  };
});
const freshBundles = changing((state) => ({ ...state, bundles: trustBundles(state.bundles.byTrustDomain.values()) }));
const oldRootsStay = telling((listener) => {
  let last: CertificateState | undefined;
  return {
    update(state) {
      const before = last?.bundles.byTrustDomain.values() ?? [];
      last = { ...state, bundles: trustBundles([...before, ...state.bundles.byTrustDomain.values()]) };
      listener.update(last);
    },
  };
});
const oldRootsOnly = telling((listener) => {
  let first: CertificateState | undefined;
  return {
    update(state) {
      first ??= state;
      listener.update({ ...state, bundles: first.bundles });
    },
  };
});
const noRoots = changing((state) => ({ ...state, bundles: trustBundles([]) }));
const printsTheKey = changing((state) => {
  const key = state.certificate.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return Object.assign({}, state, { key });
});
const tornKey = telling((listener) => {
  let first: CertificateState | undefined;
  return {
    update(state) {
      first ??= state;
      const { privateKey } = first.certificate;
      const certificate = Object.create(state.certificate, { privateKey: { value: privateKey } });
      for (const key of ["id", "chain", "fingerprint", "serial", "notBeforeMs", "notAfterMs"] as const)
        Object.defineProperty(certificate, key, { value: state.certificate[key] });
      listener.update({ ...state, certificate });
    },
  };
});
const changesStates = telling((listener) => {
  const shown: { -readonly [Key in keyof CertificateState]?: CertificateState[Key] } = {};
  return { update: (state) => listener.update(Object.assign(shown, state) as CertificateState) };
});
const CLOSED_ALREADY = new Error("closed already");
const throwsOnSecondClose = watching((inner) => (listener, around) => {
  let isClosed = false;
  const close = inner.watch(listener, around);
  return () => {
    if (isClosed) throw CLOSED_ALREADY;
    isClosed = true;
    close();
  };
});
const oneWatcherOnly: Break = (source) => {
  let closeLast = () => {};
  return {
    name: source.name,
    watch(listener, around) {
      closeLast();
      closeLast = source.watch(listener, around);
      return closeLast;
    },
  };
};
const closesForGood: Break = (source) => {
  let isClosed = false;
  return {
    name: source.name,
    watch(listener, around) {
      if (isClosed) return () => {};
      const close = source.watch(listener, around);
      return () => {
        isClosed = true;
        close();
      };
    },
  };
};

/** For every check, sources that break just what it is about. */
const BROKEN: Readonly<Record<string, readonly Break[]>> = {
  "has a name that people can read": [(source) => ({ name: " ", watch: (listener, around) => source.watch(listener, around) })],
  "tells the whole state soon after somebody watches, once, without a problem": [silent, repeats],
  "tells certificate, key and roots that belong together": [noRoots],
  "keeps the key out of what is printed": [printsTheKey],
  "tells nothing more to a watcher that closed at once": [late],
  "can be closed twice, and leaves nothing open": [throwsOnSecondClose, leaksTimers, leaksHandles],
  "can be watched again after it was closed": [closesForGood],
  "tells each of two watchers, and goes on telling one when the other is closed": [closesForGood, repeats],
  "tells each new certificate once, with the roots that stay as the same object": [onlyFirst, repeats, freshBundles, tornKey],
  "ends at the last of many quick new certificates": [onlyFirst, olderLater],
  "tells a new certificate to every watcher": [oneWatcherOnly],
  "tells no new certificate after it was closed, and leaves nothing open": [talksOn, leaksTimers, leaksHandles],
  "can be closed by the watcher while it is told": [talksOn, talksOnUntilNextTick],
  "does not change a state it told when the certificate changes": [changesStates],
  "tells new roots in place of those before, with the certificate that is theirs": [onlyFirst, oldRootsStay, oldRootsOnly],
  "reports trouble once, and keeps the last good state": [hidesProblems, nags, repeatsOnTrouble, quotesTheKey],
  "tells the state again, once, when the trouble is over": [stuckAfterTrouble, repeats, freshBundles],
  "reports trouble again after it recovered from it": [hidesProblems, stuckAfterTrouble],
  "reports trouble that it meets at the start, and recovers": [hidesProblems, nags, stuckAfterTrouble],
  "does not report trouble after it was closed, and leaves nothing open": [talksOn, leaksTimers, leaksHandles],
  "leaves nothing open when it is closed in the middle of trouble": [leaksTimers, leaksHandles],
};

test("there is a broken source for every check", () => {
  expect(Object.keys(BROKEN).sort()).toEqual(certificateSourceChecks.map((check) => check.name).sort());
});

for (const check of certificateSourceChecks) {
  for (const [index, breakIt] of (BROKEN[check.name] ?? []).entries()) {
    test(`a broken source fails: ${check.name} (${index + 1})`, async () => {
      const whole = harness();
      const failure: unknown = await check.run({ ...whole, source: breakIt(whole.source) }).catch((error: unknown) => error);
      expect(failure).toSatisfy((error) => error instanceof AssertionError || error === CLOSED_ALREADY);
    });
  }
}

test("checks that a source cannot pass are left out when its options say so", () => {
  const names: string[] = [];
  const left = { rotates: false, replacesRoots: false, breaks: false };
  certificateSourceContract({ name: "x", test: (name) => names.push(name), open: harness, ...left });
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => /new certificate|new roots|trouble is|reports trouble/.test(name))).toEqual([]);
});

test("a problem of the fake is heard now and leaves the state, and what is broken is heard by later watchers too", () => {
  const clock = virtualClock();
  const state = stateOf(setIssuer(clock.wallTime()).current, clock.wallTime());
  const source = fakeCertificateSource();
  const around = { clock, random: seededRandom(1), service: null };
  const heard: string[] = [];
  const listener = (who: string): CertificateListener => ({
    update: () => heard.push(`${who} state`),
    problem: ({ message }) => heard.push(`${who} ${message}`),
  });
  source.watch(listener("one"), around);
  source.problem("a warning");
  source.update(state);
  source.break("gone");
  source.watch(listener("two"), around);
  source.mend();
  expect(heard).toEqual(["one a warning", "one state", "one gone", "two state", "two gone", "one state", "two state"]);
});
