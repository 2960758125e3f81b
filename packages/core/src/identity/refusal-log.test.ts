import { expect, test } from "vitest";
import { virtualClock } from "../../test/virtual-clock.ts";
import { RefusalLog } from "./refusal-log.ts";

function log() {
  const clock = virtualClock();
  const told: string[] = [];
  return { clock, told, refusals: new RefusalLog(clock, ({ message }) => void told.push(message)) };
}

test("the same reason is told once a minute, with how many were not", () => {
  const { clock, told, refusals } = log();
  for (let index = 0; index < 100; index++) refusals.add("it has expired", `10.0.0.${index}`);
  clock.tick(59_999);
  refusals.add("it has expired", "10.0.0.1");
  expect(told).toEqual(["this side refused a connection from 10.0.0.0: it has expired"]);
  clock.tick(1);
  refusals.add("it has expired", "10.0.0.2");
  expect(told.slice(1)).toEqual([
    "this side refused a connection from 10.0.0.2: it has expired; 100 other connections were refused since the last word",
  ]);
  expect(refusals.count).toBe(102);
});

test("strangers that each have a reason of their own do not fill the log", () => {
  const { clock, told, refusals } = log();
  for (let minute = 0; minute < 3; minute++) {
    for (let index = 0; index < 1_000; index++) refusals.add(`it is stranger ${minute * 1_000 + index}`, "10.0.0.1");
    clock.tick(60_000);
  }
  expect(told).toHaveLength(15);
  expect(told[5]).toContain("stranger 1000; 995 other connections");
  expect(refusals.count).toBe(3_000);
});
