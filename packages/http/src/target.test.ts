import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePath, parseTarget, withQuery } from "./target.ts";

const label = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,5}$/);
const authority = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), fc.option(fc.integer({ min: 1, max: 65_535 })))
  .map(([labels, port]) => labels.join(".") + (port === null ? "" : `:${port}`));
const rest = fc.string({ unit: fc.constantFrom(..."/..?=&%2e0#a7~'\" <>{}|\\^`\u00fc;:@+".split("")), maxLength: 20 });

test("says what a URL parser says, whatever the URL", () => {
  fc.assert(
    fc.property(fc.constantFrom("http", "https", "HTTP"), authority, rest, (scheme, host, path) => {
      const url = `${scheme}://${host}/${path}`;
      const expected = URL.parse(url);
      // `@` makes credentials of what stands before it, and those are refused.
      if (expected?.username !== "" || expected.password !== "") return;
      expect(parseTarget(url)).toEqual({
        scheme: expected.protocol.slice(0, -1),
        authority: expected.host,
        path: expected.pathname + expected.search,
      });
    }),
    { numRuns: 2_000 },
  );
});

test("a path says what it would say in a URL", () => {
  fc.assert(
    fc.property(rest, (path) => {
      const expected = new URL(`http://service/${path}`);
      expect(parsePath(`/${path}`)).toBe(expected.pathname + expected.search);
    }),
    { numRuns: 2_000 },
  );
});

test("a query is put behind one that is there", () => {
  expect(withQuery("/a", { b: 1 })).toBe("/a?b=1");
  expect(withQuery("/a?b=1", { c: "x y", d: [true, "e"], f: null })).toBe("/a?b=1&c=x+y&d=true&d=e");
  expect(withQuery("/a", {})).toBe("/a");
});
