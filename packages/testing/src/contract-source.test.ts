import type { ControlSource, MeshSnapshot, VirtualHost } from "@heddle/core";
import { expect, test } from "vitest";
import { backendOf, endpointSetOf, inboundPolicyOf, snapshotOf, virtualHostOf } from "./builders.ts";
import { type ControlSourceHarness, FIRST_SERVICE } from "./contract/source-harness.ts";
import { controlSourceChecks, controlSourceContract } from "./contract-source.ts";
import { fakeSource } from "./fake-source.ts";
import { virtualClock } from "./virtual-clock.ts";

function servicesSnapshot(services: readonly string[]): MeshSnapshot {
  return snapshotOf({
    virtualHosts: services.map((name) => virtualHostOf({ name })),
    backends: services.map((name) => backendOf({ name })),
    endpointSets: services.map((name) => endpointSetOf({ name })),
    inboundPolicies: services.map((service) => inboundPolicyOf({ service })),
  });
}

function harness(): ControlSourceHarness {
  const clock = virtualClock();
  const source = fakeSource(servicesSnapshot([FIRST_SERVICE]));
  return {
    source,
    clock,
    write: async (services) => source.update(servicesSnapshot(services)),
    breakIt: async () => source.fail("this makes no sense"),
    remove: async () => source.fail("it is gone"),
    pass: (ms) => clock.advance(ms),
    close: async () => {},
  };
}

controlSourceContract({ name: "the fake source", test, open: harness });

type Break = (source: ControlSource) => ControlSource;

const watching =
  (watch: (inner: ControlSource) => ControlSource["watch"]): Break =>
  (source) => ({ name: source.name, watch: watch(source) });

const silent = watching(() => () => () => {});
const talksOn = watching((inner) => (sink, clock) => {
  inner.watch(sink, clock);
  return () => {};
});
const repeatsUpdates = watching((inner) => (sink, clock) => {
  const update = (snapshot: MeshSnapshot) => {
    sink.update(snapshot);
    sink.update(snapshot);
  };
  return inner.watch({ ...sink, update }, clock);
});
const leaksTimers = watching((inner) => (sink, clock) => {
  clock.setTimer(3_600_000, () => {});
  return inner.watch(sink, clock);
});
const onlyFirst = watching((inner) => (sink, clock) => {
  let count = 0;
  return inner.watch({ ...sink, update: (snapshot) => void (count++ === 0 && sink.update(snapshot)) }, clock);
});
const hidesProblems = watching((inner) => (sink, clock) => inner.watch({ ...sink, problem: () => {} }, clock));
const nagging = watching((inner) => (sink, clock) => {
  let stop = () => {};
  const close = inner.watch(
    {
      ...sink,
      problem(problem) {
        sink.problem(problem);
        const timer = clock.setTimer(100, () => sink.problem(problem));
        stop = () => clock.clearTimer(timer);
      },
    },
    clock,
  );
  return () => {
    stop();
    close();
  };
});
const emptiesOnTrouble = watching(
  (inner) => (sink, clock) =>
    inner.watch(
      {
        ...sink,
        problem(problem) {
          sink.update(snapshotOf());
          sink.problem(problem);
        },
      },
      clock,
    ),
);
const oneWatcherOnly: Break = (source) => {
  let closeLast = () => {};
  return {
    name: source.name,
    watch(sink, clock) {
      closeLast();
      closeLast = source.watch(sink, clock);
      return closeLast;
    },
  };
};
const changesSnapshots = watching((inner) => (sink, clock) => {
  const virtualHosts: VirtualHost[] = [];
  return inner.watch(
    {
      ...sink,
      update(snapshot) {
        virtualHosts.splice(0, virtualHosts.length, ...snapshot.virtualHosts);
        sink.update({ ...snapshot, virtualHosts });
      },
    },
    clock,
  );
});
const throwsOnSecondClose = watching((inner) => (sink, clock) => {
  let isClosed = false;
  const close = inner.watch(sink, clock);
  return () => {
    if (isClosed) throw new Error("closed already");
    isClosed = true;
    close();
  };
});
const closesForGood: Break = (source) => {
  let isClosed = false;
  return {
    name: source.name,
    watch(sink, clock) {
      if (isClosed) return () => {};
      const close = source.watch(sink, clock);
      return () => {
        isClosed = true;
        close();
      };
    },
  };
};
const dangles = watching(
  (inner) => (sink, clock) => inner.watch({ ...sink, update: (snapshot) => sink.update({ ...snapshot, endpointSets: new Map() }) }, clock),
);
const late = watching(
  (inner) => (sink, clock) =>
    inner.watch(
      {
        problem: (problem) => void clock.setTimer(20, () => sink.problem(problem)),
        update: (snapshot) => void clock.setTimer(20, () => sink.update(snapshot)),
      },
      clock,
    ),
);
const olderLater = watching((inner) => (sink, clock) => {
  let delay = 200;
  return inner.watch(
    {
      ...sink,
      update(snapshot) {
        if (delay < 200) clock.setTimer(delay, () => sink.update(snapshot));
        else sink.update(snapshot);
        delay -= 10;
      },
    },
    clock,
  );
});
const stuckAfterTrouble = watching((inner) => (sink, clock) => {
  let hasFailed = false;
  return inner.watch(
    {
      update: (snapshot) => void (hasFailed || sink.update(snapshot)),
      problem(problem) {
        hasFailed = true;
        sink.problem(problem);
      },
    },
    clock,
  );
});

const troubles = (what: string): Record<string, readonly Break[]> => ({
  [`reports ${what} once, and keeps the last good state`]: [hidesProblems, nagging, emptiesOnTrouble],
  [`reports ${what} again after it recovered from it`]: [hidesProblems, stuckAfterTrouble],
  [`reports ${what} that it meets at the start, and recovers`]: [hidesProblems, nagging, stuckAfterTrouble],
  [`does not report ${what} after it was closed, and leaves no timer`]: [talksOn, leaksTimers],
  [`leaves no timer when it is closed after ${what}`]: [leaksTimers],
});

/** For every check, a source that breaks just what it is about. */
const BROKEN: Readonly<Record<string, readonly Break[]>> = {
  "has a name that people can read": [(source) => ({ name: " ", watch: (sink, clock) => source.watch(sink, clock) })],
  "tells the whole state soon after somebody watches, once, without a problem": [silent, repeatsUpdates],
  "tells a state whose references can be followed": [dangles],
  "tells nothing more to a watcher that closed at once": [late],
  "can be closed twice, and leaves no timer": [throwsOnSecondClose, leaksTimers],
  "can be watched again after it was closed": [closesForGood],
  "tells each of two watchers, and goes on telling one when the other is closed": [closesForGood, repeatsUpdates],
  "tells every change": [onlyFirst],
  "ends at the last of many quick changes": [onlyFirst, olderLater],
  "tells a change to every watcher": [oneWatcherOnly],
  "tells no change after it was closed, and leaves no timer": [talksOn, leaksTimers],
  "does not change a snapshot it gave when the configuration changes": [changesSnapshots],
  ...troubles("a broken configuration"),
  ...troubles("a configuration that is gone"),
};

test("there is a broken source for every check", () => {
  expect(Object.keys(BROKEN).sort()).toEqual(controlSourceChecks.map((check) => check.name).sort());
});

for (const check of controlSourceChecks) {
  for (const [index, breakIt] of (BROKEN[check.name] ?? []).entries()) {
    test(`a broken source fails: ${check.name} (${index + 1})`, async () => {
      const whole = harness();
      await expect(check.run({ ...whole, source: breakIt(whole.source) })).rejects.toThrow();
    });
  }
}

test("checks that a source cannot pass are left out when its options say so", () => {
  const names: string[] = [];
  controlSourceContract({ name: "x", test: (name) => names.push(name), open: harness, changes: false, breaks: false, vanishes: false });
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => /change|broken|gone/.test(name))).toEqual([]);
});
