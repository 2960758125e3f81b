import { type CallOptions, parseDuration } from "@heddle/core";
import fc from "fast-check";
import { expect } from "vitest";
import { narrowed } from "../../packages/core/src/context.ts";
import { checkCallOptions } from "../../packages/http/src/call-options.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, OWN_ERROR, oddValues } from "./hostile.ts";

const timeout = fc.oneof(fc.constantFrom<unknown>("250ms", "2s", 0, 10, "1m30s", "25h", "-1s", -1, ""), oddValues);
const tags = fc.oneof(
  fc
    .array(fc.tuple(fc.constantFrom("lane", ...HOSTILE_NAMES), fc.constantFrom("a", "b")), { maxLength: 3 })
    .map((pairs) => Object.fromEntries(pairs) as unknown),
  fc.dictionary(fc.constantFrom("lane", "b"), oddValues),
  oddValues,
);
const entry = fc.oneof(
  fc.tuple(fc.constant("timeout"), timeout),
  fc.tuple(fc.constant("retry"), fc.oneof(fc.constantFrom<unknown>(false, false, true, {}, "off"), oddValues)),
  fc.tuple(fc.constant("idempotent"), fc.oneof(fc.boolean() as fc.Arbitrary<unknown>, oddValues)),
  fc.tuple(fc.constant("tags"), tags),
  fc.tuple(
    fc.oneof(fc.constantFrom("retries", "timeot", "Timeout", ...HOSTILE_NAMES), hostileText(1)),
    fc.constantFrom<unknown>(1, undefined),
  ),
);

function isTags(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((tag) => typeof tag === "string")
  );
}

function isLegal(name: string, value: unknown): boolean {
  switch (name) {
    case "timeout":
      return value === undefined || parseDuration(value) !== undefined;
    case "retry":
      return value === undefined || value === false;
    case "idempotent":
      return value === undefined || typeof value === "boolean";
    case "tags":
      return value === undefined || isTags(value);
    default:
      return false;
  }
}

/** Legal, not legal, or undefined where asking throws what the caller's own object throws. */
function verdict(options: Readonly<Record<string, unknown>>): boolean | undefined {
  try {
    return Object.keys(options).every((name) => isLegal(name, options[name]));
  } catch (error) {
    if (error !== OWN_ERROR) throw error;
    return undefined;
  }
}

fuzz(
  "a call's options are taken exactly if each is what it must be, and a mistake names its option",
  fc.array(entry, { maxLength: 3 }),
  (entries) => {
    const options = Object.fromEntries(entries);
    const expected = verdict(options);
    let mistake: unknown;
    try {
      checkCallOptions(options as CallOptions);
    } catch (error) {
      mistake = error;
    }
    if (mistake === OWN_ERROR && expected !== true) return;
    expectSame(mistake === undefined, expected ?? false, JSON.stringify(Object.keys(options)));
    if (mistake === undefined) return;
    expectSame(mistake instanceof TypeError && mistake.message.startsWith("mesh"), true, `${String(mistake)} names no option`);
  },
);

fuzz("what is no object is refused as options", oddValues, (odd) => {
  if (odd === undefined || (typeof odd === "object" && odd !== null)) return;
  expect(() => checkCallOptions(odd as CallOptions)).toThrow(TypeError);
});

const legal: fc.Arbitrary<CallOptions> = fc.record(
  {
    timeout: fc.constantFrom<CallOptions["timeout"] & (string | number)>("250ms", "2s", 0, 10, 86_400_000),
    // A key may be there without a value, as code without types has it.
    retry: fc.constantFrom<CallOptions["retry"] & false>(...([false, undefined] as false[])),
    idempotent: fc.boolean(),
    tags: fc
      .array(fc.tuple(fc.constantFrom("lane", ...HOSTILE_NAMES), fc.constantFrom("a", "b")), { maxLength: 3 })
      .map((pairs) => Object.fromEntries(pairs)),
  },
  { requiredKeys: [] },
);

fuzz("of two sets of options the narrower of each holds, and tags are united", fc.tuple(legal, legal), ([outer, inner]) => {
  const both = narrowed(outer, inner);
  const timeouts = [outer.timeout, inner.timeout].filter((each) => each !== undefined).map((each) => parseDuration(each) ?? Number.NaN);
  expectSame(both.timeout === undefined ? [] : [parseDuration(both.timeout)], timeouts.length === 0 ? [] : [Math.min(...timeouts)]);
  expectSame(both.retry, outer.retry === false || inner.retry === false ? false : undefined);
  expectSame(both.idempotent, inner.idempotent ?? outer.idempotent);
  const united = new Map([...Object.entries(outer.tags ?? {}), ...Object.entries(inner.tags ?? {})]);
  expectSame(new Map(Object.entries(both.tags ?? {})), united);
});
