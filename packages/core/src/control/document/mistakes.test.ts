import { expect, test } from "vitest";
import { Mistakes } from "./mistakes.ts";
import { codePlaces } from "./places.ts";

test("once suggestions have become too many the known words are not even collected", () => {
  const mistakes = new Mistakes(codePlaces("document"));
  let collected = 0;
  const known = (): readonly string[] => {
    collected++;
    return ["reviews"];
  };
  const suggested = Array.from({ length: 1_000 }, () => mistakes.suggest("reviws", known));
  expect(suggested.slice(0, 20)).toEqual(Array(20).fill("reviews"));
  expect(suggested.slice(20).filter((word) => word !== undefined)).toEqual([]);
  expect(collected).toBe(20);
});
