import { expect, test } from "vitest";
import { SCALE_SUITES } from "./experiment.ts";
import { parseOptions } from "./options.ts";

test("without options everything is measured", () => {
  expect(parseOptions([])).toEqual({ suites: SCALE_SUITES, quick: false, json: null, writeDocs: false });
});

test("--only chooses suites, and refuses those that do not exist", () => {
  expect(parseOptions(["--only", "pick, memory"]).suites).toEqual(["pick", "memory"]);
  expect(() => parseOptions(["--only", "stub"])).toThrow(/no suite "stub", only pick, match/);
});

test("unknown options are refused", () => {
  expect(() => parseOptions(["--fast"])).toThrow(TypeError);
});

test("the page takes only the figures of a whole run", () => {
  expect(parseOptions(["--write-docs"]).writeDocs).toBe(true);
  expect(() => parseOptions(["--write-docs", "--quick"])).toThrow(/--quick/);
  expect(() => parseOptions(["--write-docs", "--only", "pick"])).toThrow(/--only/);
});
