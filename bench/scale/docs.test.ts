import { expect, test } from "vitest";
import { putSection } from "./docs.ts";

const PAGE = "before\n<!-- scale:begin -->\nold\n<!-- scale:end -->\nbetween\n<!-- growth:begin -->\nkept\n<!-- growth:end -->\nafter\n";

test("a section is replaced between its own markers, and nothing else is touched", () => {
  const page = putSection(PAGE, "scale", "new");
  expect(page).toBe(PAGE.replace("old", "new"));
  expect(putSection(page, "scale", "new")).toBe(page);
});

test("a page without the markers, or with them the wrong way round, is refused", () => {
  expect(() => putSection(PAGE, "policies", "new")).toThrow(/policies:begin/);
  expect(() => putSection("<!-- scale:end --><!-- scale:begin -->", "scale", "new")).toThrow(/scale:begin/);
});
