import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";
import { SUITE_NAMES } from "./suites.ts";

test("without options every suite shares less than the run's eight minutes", () => {
  const options = parseOptions([]);
  expect(options.suites).toEqual(SUITE_NAMES);
  expect(options.seconds).toBeLessThan(8 * 60);
});

test("--only chooses suites, one or several", () => {
  expect(parseOptions(["--only", "stub"]).suites).toEqual(["stub"]);
  expect(parseOptions(["--only", "stub, fetch"]).suites).toEqual(["stub", "fetch"]);
});

test("an unknown suite is refused with the names of those there are", () => {
  expect(() => parseOptions(["--only", "fast"])).toThrow(/no suite "fast", only stub, request, dispatcher, fetch/);
});

test("unknown options and impossible times are refused", () => {
  expect(() => parseOptions(["--fast"])).toThrow(TypeError);
  for (const seconds of ["0", "-1", "x", "1e9"]) expect(() => parseOptions([`--seconds=${seconds}`])).toThrow(TypeError);
});

test("--seconds overrules --quick", () => {
  expect(parseOptions(["--quick"]).seconds).toBeLessThan(30);
  expect(parseOptions(["--quick", "--seconds", "40"]).seconds).toBe(40);
});

test("the page takes only the figures of a whole run", () => {
  expect(parseOptions(["--write-docs", "--seconds", "60"]).writeDocs).toBe(true);
  expect(() => parseOptions(["--write-docs", "--quick"])).toThrow(/--quick/);
  expect(() => parseOptions(["--write-docs", "--only", "stub"])).toThrow(/--only/);
});
