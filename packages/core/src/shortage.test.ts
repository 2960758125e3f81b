import { expect, test } from "vitest";
import { shortageOf, shortageWords } from "./shortage.ts";

const coded = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });

test("is found through causes, and nowhere else", () => {
  expect(shortageOf(coded("EMFILE"))).toBe("descriptors");
  expect(shortageOf(new Error("could not connect", { cause: coded("ENOBUFS") }))).toBe("memory");
  expect(shortageOf(coded("ECONNREFUSED"))).toBeNull();
  expect(shortageOf(null)).toBeNull();
  expect(shortageWords(coded("ECONNREFUSED"))).toBe("");
});

test("of several addresses that were tried all must have failed for it", () => {
  const aggregate = (...codes: string[]) => Object.assign(new AggregateError(codes.map((code) => coded(code))), { code: codes[0] });
  expect(shortageOf(aggregate("EADDRNOTAVAIL", "EADDRNOTAVAIL"))).toBe("ports");
  expect(shortageOf(aggregate("EADDRNOTAVAIL", "ECONNREFUSED"))).toBeNull();
});

test("causes that go round in a circle end", () => {
  const error: Error = new Error("round");
  error.cause = error;
  expect(shortageOf(error)).toBeNull();
});
