import { virtualClock } from "@heddle/testing";
import { expect, test } from "vitest";
import { Progress } from "./progress.ts";

function screen(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

test("rewrites one line on a terminal, cut to its width", async () => {
  const clock = virtualClock();
  const terminal = screen(true, 10);
  const progress = new Progress(terminal, clock);
  progress.show(() => "123456789012");
  await clock.advance(200);
  expect(terminal.written.slice(-2)).toEqual(["\r\x1b[K", "123456789"]);
  progress.close();
  const before = terminal.written.length;
  await clock.advance(1_000);
  expect(terminal.written).toHaveLength(before);
});

test("writes plain lines alone where there is no terminal", async () => {
  const clock = virtualClock();
  const file = screen(false);
  const progress = new Progress(file, clock);
  progress.show(() => "on its way");
  await clock.advance(1_000);
  progress.line("a step");
  progress.close();
  expect(file.written).toEqual(["a step\n"]);
});
