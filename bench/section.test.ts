import { expect, test } from "vitest";
import { putSection } from "./section.ts";

const PAGE = "before\n<!-- scale:begin -->\nold\n<!-- scale:end -->\nbetween\n<!-- growth:begin -->\nkept\n<!-- growth:end -->\nafter\n";

test("a section is replaced between its own markers, and nothing else is touched", () => {
  const page = putSection("page.md", PAGE, "scale", "new");
  expect(page).toBe(PAGE.replace("old", "new"));
  expect(putSection("page.md", page, "scale", "new")).toBe(page);
});

test("a page without the markers, or with them the wrong way round, is refused", () => {
  expect(() => putSection("page.md", PAGE, "policies", "new")).toThrow(/page.md needs the markers .*policies:begin/);
  expect(() => putSection("page.md", "<!-- scale:end --><!-- scale:begin -->", "scale", "new")).toThrow(/scale:begin/);
});
