import { expect, test } from "vitest";
import { checkKeys } from "./option-keys.ts";

test("an option that does not exist is refused with the one that was meant, or with those there are", () => {
  expect(() => checkKeys({ darin: "5s" }, ["drain", "limit"], "mesh.close")).toThrow(
    new TypeError('mesh.close: there is no option "darin"; did you mean "drain"?'),
  );
  expect(() => checkKeys({ colour: 1 }, ["drain", "limit"], "mesh.close")).toThrow("there are drain, limit");
  expect(() => checkKeys({ drain: "5s" }, ["drain", "limit"], "mesh.close")).not.toThrow();
});
