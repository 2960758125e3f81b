import { expect, test } from "vitest";
import { LoadWindow, type Sample, toV2 } from "./load-window.ts";

function sample(changes: Partial<Sample> = {}): Sample {
  return { startedAt: 100, user: null, version: "v1", pid: 1, suggestions: 2, failure: null, ...changes };
}

test("counts what ends in it, and takes for its shares only what began in it too", () => {
  const window = new LoadWindow(100, () => {});
  window.add(sample({ startedAt: 99, version: "v2" }));
  window.add(sample());
  window.add(sample({ version: "v2", pid: 2 }));
  expect(window.requests).toBe(3);
  expect(window.answered(null)).toHaveLength(2);
  expect(toV2(window.answered(null))).toBe(1);
  expect(window.answeredBy(2)).toBe(1);
});

test("keeps users with the header apart from those without", () => {
  const window = new LoadWindow(100, () => {});
  window.add(sample({ user: "jason", version: "v2" }));
  window.add(sample());
  expect(window.answered("jason").map(({ version }) => version)).toEqual(["v2"]);
  expect(window.answered(null).map(({ version }) => version)).toEqual(["v1"]);
});

test("counts failures, also of what began before it, and keeps the first reason", () => {
  const window = new LoadWindow(100, () => {});
  window.add(sample({ startedAt: 1, failure: "first", version: null, pid: null }));
  window.add(sample({ failure: "second", version: null, pid: null }));
  expect(window).toMatchObject({ requests: 2, failures: 2, firstFailure: "first" });
  expect(window.answered(null)).toEqual([]);
});
