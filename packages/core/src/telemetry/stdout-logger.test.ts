import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { stdoutLogger } from "./stdout-logger.ts";

let directory = "";
let path = "";
let fd = -1;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "heddle-log-"));
  path = join(directory, "out");
  fd = openSync(path, "a");
});

afterEach(() => {
  try {
    closeSync(fd);
  } catch {
    // A test closed it to break the logger.
  }
  rmSync(directory, { recursive: true });
});

test("every line is in the file once close has resolved, as one JSON object with the clock's time", async () => {
  const clock = { ...systemClock, wallTime: () => 1_767_225_600_000.7 };
  const logger = stdoutLogger({ clock, warn: () => {}, fd });
  for (let n = 0; n < 2_000; n++) logger.info({ outcome: "200", n });
  await logger.close();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(2_000);
  expect(JSON.parse(lines[1_999] ?? "")).toEqual({ level: 30, time: 1_767_225_600_001, outcome: "200", n: 1_999 });
});

test("close resolves where nothing was written, and again", async () => {
  const logger = stdoutLogger({ clock: systemClock, warn: () => {}, fd });
  await logger.close();
  await logger.close();
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a stdout that cannot be written to is reported once and throws nothing", async () => {
  const warnings: string[] = [];
  const readOnly = openSync(path, "r");
  const logger = stdoutLogger({ clock: systemClock, warn: (message) => warnings.push(message), fd: readOnly });
  for (let n = 0; n < 3; n++) {
    logger.info({ n });
    await logger.close();
  }
  closeSync(readOnly);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/cannot write to stdout: .*EBADF/);
});

test("what a stdout that does not keep up leaves waiting is bounded; the loss is reported once", async () => {
  const warnings: string[] = [];
  const logger = stdoutLogger({ clock: systemClock, warn: (message) => warnings.push(message), fd });
  const text = "x".repeat(1024 * 1024);
  for (let n = 0; n < 8; n++) logger.info({ text });
  await logger.close();
  expect(warnings).toEqual(["access log: stdout does not keep up; lines are being dropped"]);
  expect(readFileSync(path, "utf8").split("\n").length - 1).toBeLessThan(6);
});
