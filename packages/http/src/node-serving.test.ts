import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { type Cuttable, type OpenExchange, Serving, type ServingMesh } from "./node-serving.ts";

const NOT_DRAINING = { isDraining: false } as ServingMesh;

function exchange(cut: () => void = () => {}): Cuttable {
  return { destroy: cut };
}

test.each([
  ["first to last", [0, 1, 2, 3]],
  ["last to first", [3, 2, 1, 0]],
  ["from the middle", [1, 3, 0, 2]],
])("exchanges leave in any order: %s", (_, order) => {
  const serving = new Serving(NOT_DRAINING);
  const cut: number[] = [];
  const entered = [0, 1, 2, 3].map((number) => serving.enter(exchange(() => cut.push(number))));
  for (const [gone, number] of order.entries()) {
    serving.leave(entered[number] as OpenExchange);
    expect(serving.openCount).toBe(3 - gone);
    cut.length = 0;
    serving.destroy();
    expect(cut.sort()).toEqual(order.slice(gone + 1).sort());
  }
});

test("who leaves twice has left once", () => {
  const serving = new Serving(NOT_DRAINING);
  const first = serving.enter(exchange());
  serving.enter(exchange());
  serving.leave(first);
  serving.leave(first);
  expect(serving.openCount).toBe(1);
});

test("closing waits for the last that is open", async () => {
  const serving = new Serving(NOT_DRAINING);
  const [first, last] = [serving.enter(exchange()), serving.enter(exchange())];
  let isClosed = false;
  const closing = serving.close().then(() => {
    isClosed = true;
  });
  serving.leave(first);
  await Promise.resolve();
  expect(isClosed).toBe(false);
  serving.leave(last);
  await closing;
  expect(isClosed).toBe(true);
});

test("all are cut, also where each leaves as it is cut", () => {
  const serving = new Serving(NOT_DRAINING);
  let cut = 0;
  for (let count = 0; count < 10; count++) {
    const entered = serving.enter(
      exchange(() => {
        cut++;
        serving.leave(entered);
      }),
    );
  }
  serving.destroy();
  expect(cut).toBe(10);
  expect(serving.openCount).toBe(0);
});

test("what has left does not outlive the young generation", () => {
  setFlagsFromString("--expose-gc");
  const collectYoung = runInNewContext("() => gc({ type: 'minor' })") as () => void;
  const serving = new Serving(NOT_DRAINING);
  const ROUNDS = 40;
  const BURSTS = 200;
  const AT_ONCE = 8;
  const serve = (): void => {
    for (let burst = 0; burst < BURSTS; burst++) {
      const open = Array.from({ length: AT_ONCE }, () => serving.enter({ destroy() {}, payload: new Array(20).fill(0) } as Cuttable));
      for (const entered of open) serving.leave(entered);
    }
    collectYoung();
  };
  serving.leave(serving.enter(exchange()));
  // A quiet time, in which whatever holds the exchanges grows old.
  for (let round = 0; round < 5; round++) collectYoung();
  const before = oldBytes();
  for (let round = 0; round < ROUNDS; round++) serve();
  expect(oldBytes() - before).toBeLessThan(2_000_000);
});

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")?.space_used_size ?? Number.NaN;
}
