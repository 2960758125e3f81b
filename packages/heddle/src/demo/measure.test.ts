import { Cancel } from "@heddle/core";
import { virtualClock } from "@heddle/testing";
import { expect, test } from "vitest";
import { LoadWindow } from "./load-window.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";
import type { RunningDemo } from "./running-demo.ts";
import type { Finding, Stage, Step } from "./step.ts";

const HELD: Finding = { held: true, seen: "as it should be" };

/** A demo without processes, whose load is what the test adds to the open windows. */
function stage() {
  const windows = new Set<LoadWindow>();
  const load = {
    open() {
      const window = new LoadWindow(0, () => windows.delete(window));
      windows.add(window);
      return window;
    },
  };
  const waiting = { clock: virtualClock(), cancel: new Cancel() };
  const progress = new Progress({ write() {} }, waiting.clock);
  return {
    cancel: waiting.cancel,
    ends: (failure: string | null) => {
      for (const window of windows) window.add({ startedAt: 0, user: null, version: null, pid: null, suggestions: null, failure });
    },
    run: (...steps: readonly Step[]) => measure({ steps, demo: { load } as unknown as RunningDemo, waiting, progress, startedAt: 0 }),
  };
}

function step(title: string, run: (stage: Stage) => Finding): Step {
  return { title, run: async (given) => run(given) };
}

test("all is well if every step's own check held and no request failed", async () => {
  const { run, ends } = stage();
  const one = step("one", () => {
    ends(null);
    return HELD;
  });
  const results = await run(one, one);
  expect(results).toMatchObject({ ok: true, requests: 2, failures: 0, endedBecause: null });
  expect(results.steps.map(({ requests, verdict }) => ({ requests, verdict }))).toEqual([
    { requests: 1, verdict: "held" },
    { requests: 1, verdict: "held" },
  ]);
});

test("a request that fails during a step fails it, with the reason, whatever the step found", async () => {
  const { run, ends } = stage();
  const results = await run(
    step("one", () => {
      ends("web answered 502");
      return HELD;
    }),
  );
  expect(results).toMatchObject({ ok: false, failures: 1 });
  expect(results.steps[0]).toMatchObject({ verdict: "failed", seen: "as it should be; the first failure: web answered 502" });
});

test("a step whose check does not hold, or that rejects, fails alone", async () => {
  const { run } = stage();
  const results = await run(
    step("one", () => ({ held: false, seen: "12 %" })),
    step("two", () => {
      throw new Error("waited in vain");
    }),
    step("three", () => HELD),
  );
  expect(results.ok).toBe(false);
  expect(results.steps.map(({ verdict }) => verdict)).toEqual(["failed", "failed", "held"]);
  expect(results.steps[1]?.seen).toBe("waited in vain");
});

test("what ends it early is told, and the steps after it are not run", async () => {
  const { run, cancel } = stage();
  const results = await run(
    step("one", () => {
      cancel.cancel(new Error("catalog-1 ended unexpectedly"));
      throw cancel.reason;
    }),
    step("two", () => HELD),
  );
  expect(results).toMatchObject({ ok: false, endedBecause: "catalog-1 ended unexpectedly" });
  expect(results.steps.map(({ verdict }) => verdict)).toEqual(["failed", "not run"]);
});
