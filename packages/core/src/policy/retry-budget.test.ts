import fc from "fast-check";
import { expect, test } from "vitest";
import { RetryBudget } from "./retry-budget.ts";

const budgetOf = (percent = 20, minPerSecond = 1) => new RetryBudget({ percent, minPerSecond }, 0);

function withdrawAll(budget: RetryBudget, now: number): number {
  let count = 0;
  while (count < 10_000 && budget.withdraw(now)) count++;
  return count;
}

test("a reserve of 10 without traffic", () => {
  expect(withdrawAll(budgetOf(), 0)).toBe(10);
});

test("every five requests pay for one retry at 20 %", () => {
  const budget = budgetOf();
  for (let request = 0; request < 100; request++) budget.deposit(0);
  expect(withdrawAll(budget, 0)).toBe(10 + 20);
});

test("tenths add up: ten deposits of 10 % pay for one retry", () => {
  const budget = budgetOf(10, 0);
  for (let request = 0; request < 9; request++) budget.deposit(0);
  expect(budget.withdraw(0)).toBe(false);
  budget.deposit(0);
  expect(budget.withdraw(0)).toBe(true);
  expect(budget.withdraw(0)).toBe(false);
});

test("0 % and no reserve allow none", () => {
  const budget = budgetOf(0, 0);
  for (let request = 0; request < 1_000; request++) budget.deposit(0);
  expect(withdrawAll(budget, 0)).toBe(0);
});

test("what requests paid is gone 10 s later", () => {
  const budget = budgetOf(20, 0);
  for (let request = 0; request < 100; request++) budget.deposit(0);
  expect(budget.available(9_999)).toBeCloseTo(20, 9);
  expect(budget.available(10_000)).toBe(0);
});

test("what was spent is back 10 s later, not earlier", () => {
  const budget = budgetOf();
  expect(withdrawAll(budget, 0)).toBe(10);
  expect(withdrawAll(budget, 9_999)).toBe(0);
  expect(withdrawAll(budget, 10_000)).toBe(10);
});

test("a refused withdrawal costs nothing, and a long pause neither", () => {
  const budget = budgetOf(20, 0);
  for (let request = 0; request < 4; request++) budget.deposit(0);
  expect(withdrawAll(budget, 0)).toBe(0);
  budget.deposit(0);
  expect(withdrawAll(budget, 0)).toBe(1);
  budget.deposit(1e9);
  expect(budget.available(1e9)).toBeCloseTo(0.2, 9);
});

test("a change of configuration holds from then on and keeps what was spent", () => {
  const budget = budgetOf();
  expect(withdrawAll(budget, 0)).toBe(10);
  budget.configure({ percent: 50, minPerSecond: 2 });
  expect(withdrawAll(budget, 0)).toBe(10);
  budget.deposit(0);
  budget.deposit(0);
  expect(withdrawAll(budget, 0)).toBe(1);
});

/** Times advance by random steps; at each there is a request, or as many retries as the budget gives of those wanted. */
const arrivals = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(3_000), fc.nat(20_000)),
    requests: fc.nat(30),
    retriesWanted: fc.nat(20),
  }),
  { maxLength: 40 },
);

test("in any order of arrivals, retries are at most 20 % of the last 10 s of requests, and a reserve of 10", () => {
  fc.assert(
    fc.property(arrivals, (steps) => {
      const budget = budgetOf();
      const requests: number[] = [];
      const retries: number[] = [];
      let now = 0;
      for (const { afterMs, requests: count, retriesWanted } of steps) {
        now += afterMs;
        for (let request = 0; request < count; request++) {
          budget.deposit(now);
          requests.push(now);
        }
        for (let wanted = 0; wanted < retriesWanted && budget.withdraw(now); wanted++) {
          retries.push(now);
          // Both expire with the second they were made in, so that the window is between 9 and 10 s long.
          const spent = retries.filter((at) => at > now - 9_000).length;
          const paid = requests.filter((at) => at > now - 10_000).length * 0.2;
          expect(spent).toBeLessThanOrEqual(paid + 10 + 1e-6);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("in any order of arrivals, retries altogether are at most 20 % of all requests and the reserve of every 9 s", () => {
  fc.assert(
    fc.property(arrivals, (steps) => {
      const budget = budgetOf();
      let now = 0;
      let requests = 0;
      let retries = 0;
      for (const { afterMs, requests: count, retriesWanted } of steps) {
        now += afterMs;
        for (let request = 0; request < count; request++) budget.deposit(now);
        requests += count;
        for (let wanted = 0; wanted < retriesWanted; wanted++) if (budget.withdraw(now)) retries++;
      }
      expect(retries).toBeLessThanOrEqual(requests * 0.2 + 10 * (Math.floor(now / 9_000) + 1) + 1e-6);
    }),
  );
});
