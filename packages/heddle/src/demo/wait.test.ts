import { Cancel } from "@heddle/core";
import { virtualClock } from "@heddle/testing";
import { expect, test } from "vitest";
import { gather, until } from "./wait.ts";

test("returns how long it took until the condition held", async () => {
  const waiting = { clock: virtualClock(), cancel: new Cancel() };
  let holds = false;
  const waited = until("it holds", 1_000, waiting, () => holds);
  await waiting.clock.advance(100);
  holds = true;
  await waiting.clock.advance(20);
  expect(await waited).toBe(120);
});

test("gives up after the limit and says what it waited for", async () => {
  const waiting = { clock: virtualClock(), cancel: new Cancel() };
  const waited = until("pigs fly", 1_000, waiting, () => false);
  const rejected = expect(waited).rejects.toThrow("waited 1 s in vain until pigs fly");
  await waiting.clock.advance(2_000);
  await rejected;
});

test("ends at once with the reason when the demo is to end, also while the condition is being asked", async () => {
  const waiting = { clock: virtualClock(), cancel: new Cancel() };
  const waited = until("an answer comes", 1_000, waiting, () => new Promise<boolean>(() => {}));
  const rejected = expect(waited).rejects.toThrow("asked to");
  waiting.cancel.cancel(new Error("asked to"));
  await rejected;
});

test("takes what is wanted at once, and after its patience what is there, but never less than the least", async () => {
  const waiting = { clock: virtualClock(), cancel: new Cancel() };
  const enough = { wanted: 100, patienceMs: 1_000, least: 10 };
  await gather("answers", enough, waiting, () => 100);
  let isDone = false;
  let count = 50;
  const gathered = gather("answers", enough, waiting, () => count).then(() => {
    isDone = true;
  });
  await waiting.clock.advance(900);
  expect(isDone).toBe(false);
  await waiting.clock.advance(200);
  await gathered;
  count = 9;
  const rejected = expect(gather("answers", enough, waiting, () => count)).rejects.toThrow("until there were 10 answers");
  await waiting.clock.advance(20_000);
  await rejected;
});
