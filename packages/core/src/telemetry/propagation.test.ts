import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HeaderMap } from "../message.ts";
import { MAX_TRACEPARENT_CHARS, MAX_TRACESTATE_CHARS, readTraceContext, writeTraceContext } from "./propagation.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;

describe("traceparent", () => {
  test("is kept as received", () => {
    expect(readTraceContext({ traceparent: TRACEPARENT })).toEqual({ traceparent: TRACEPARENT, tracestate: undefined });
    expect(readTraceContext({ traceparent: [TRACEPARENT] })?.traceparent).toBe(TRACEPARENT);
  });

  test("keeps the fields that a later version adds", () => {
    for (const traceparent of [
      `cc${TRACEPARENT.slice(2)}`,
      `01${TRACEPARENT.slice(2)}-what-the-future-brings`,
      `01${TRACEPARENT.slice(2)}-`,
    ]) {
      expect(readTraceContext({ traceparent })?.traceparent).toBe(traceparent);
    }
  });

  test.each([
    ["nothing", undefined],
    ["an empty value", ""],
    ["two fields", [TRACEPARENT, TRACEPARENT]],
    ["two fields joined", `${TRACEPARENT}, ${TRACEPARENT}`],
    ["version ff", `ff${TRACEPARENT.slice(2)}`],
    ["an all-zero trace id", `00-${"0".repeat(32)}-${PARENT_ID}-01`],
    ["an all-zero parent id", `00-${TRACE_ID}-${"0".repeat(16)}-01`],
    ["upper case", TRACEPARENT.toUpperCase()],
    ["version 00 with more fields", `${TRACEPARENT}-more`],
    ["version 00 with a trailing dash", `${TRACEPARENT}-`],
    ["a later version with a field that no dash separates", `01${TRACEPARENT.slice(2)}.more`],
    ["a later version that is too long", `01${TRACEPARENT.slice(2)}-${"x".repeat(MAX_TRACEPARENT_CHARS)}`],
    ["a later version with what cannot be sent on", `01${TRACEPARENT.slice(2)}-\u0001`],
    ["a character missing", TRACEPARENT.slice(0, -1)],
    ["no hex", TRACEPARENT.replace("4bf9", "4bg9")],
    ["blanks around", ` ${TRACEPARENT}`],
    ["a line end", `${TRACEPARENT}\n`],
  ])("is refused: %s", (_, traceparent) => {
    expect(readTraceContext({ traceparent, tracestate: "a=1" })).toBeNull();
  });
});

describe("tracestate", () => {
  const read = (tracestate: string | string[]) => readTraceContext({ traceparent: TRACEPARENT, tracestate })?.tracestate;

  test("is combined from several fields, in order, without blanks and empty members", () => {
    expect(read(["rojo=1, ,congo=t61", "\ta@vendor=x y ;z\t"])).toBe("rojo=1,congo=t61,a@vendor=x y ;z");
  });

  test.each([
    ["no equals sign", "rojo"],
    ["an upper-case key", "Rojo=1"],
    ["no key", "=1"],
    ["no value", "rojo="],
    ["a second equals sign", "rojo=a=b"],
    ["a key too long", `${"k".repeat(257)}=1`],
    ["a value too long", `rojo=${"v".repeat(257)}`],
    ["a control character", "rojo=\u0000"],
    ["a no-break space around a member", "\u00a0rojo=1"],
    ["33 members", Array.from({ length: 33 }, (_, n) => `k${n}=1`).join(",")],
    ["nothing", " , "],
  ])("is left out alone: %s", (_, tracestate) => {
    expect(readTraceContext({ traceparent: TRACEPARENT, tracestate })).toEqual({ traceparent: TRACEPARENT, tracestate: undefined });
  });

  test("takes 32 members", () => {
    const full = Array.from({ length: 32 }, (_, n) => `k${n}=1`).join(",");
    expect(read(full)).toBe(full);
  });

  test("over 512 characters, loses long members first, then the last ones", () => {
    const long = `long=${"x".repeat(200)}`;
    const short = (n: number) => `k${n}=${"y".repeat(96)}`;
    expect(read([short(1), long, short(2), short(3), short(4)].join(","))).toBe([short(1), short(2), short(3), short(4)].join(","));
    expect(read([1, 2, 3, 4, 5, 6].map(short).join(","))).toBe([1, 2, 3, 4, 5].map(short).join(","));
  });
});

test("writing replaces what was there and leaves the given headers alone", () => {
  const headers: HeaderMap = { accept: "*/*", traceparent: "old", tracestate: "old=1" };
  expect({ ...writeTraceContext(headers, { traceparent: TRACEPARENT, tracestate: undefined }) }).toEqual({
    accept: "*/*",
    traceparent: TRACEPARENT,
  });
  expect(headers).toEqual({ accept: "*/*", traceparent: "old", tracestate: "old=1" });
});

const almostHex = fc.string({ unit: fc.constantFrom(..."0123456789abcdefF-x ,=".split("")), maxLength: 70 });
const anyValue = fc.oneof(fc.string({ unit: "binary" }), almostHex, fc.constant(TRACEPARENT));

test("never throws, whatever the fields hold, and what it gives is valid again", () => {
  fc.assert(
    fc.property(fc.oneof(anyValue, fc.array(anyValue)), fc.oneof(anyValue, fc.array(anyValue)), (traceparent, tracestate) => {
      const trace = readTraceContext({ traceparent, tracestate });
      if (!trace) return;
      expect(trace.tracestate?.length ?? 0).toBeLessThanOrEqual(MAX_TRACESTATE_CHARS);
      expect(readTraceContext(writeTraceContext({}, trace))).toEqual(trace);
    }),
    { numRuns: 2_000 },
  );
});

const member = fc
  .tuple(fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,40}$/), fc.stringMatching(/^[!-+\--<>-~]{1,160}$/))
  .map(([key, value]) => `${key}=${value}`);

test("every valid tracestate survives as a subsequence of whole members within the limit, unchanged if it fits", () => {
  fc.assert(
    fc.property(fc.array(member, { minLength: 1, maxLength: 32 }), (members) => {
      const whole = members.join(",");
      const kept = readTraceContext({ traceparent: TRACEPARENT, tracestate: whole })?.tracestate;
      if (whole.length <= MAX_TRACESTATE_CHARS) {
        expect(kept).toBe(whole);
        return;
      }
      let from = 0;
      for (const part of kept?.split(",") ?? []) {
        const at = members.indexOf(part, from);
        expect(at).toBeGreaterThanOrEqual(from);
        from = at + 1;
      }
      expect(kept?.length ?? 0).toBeLessThanOrEqual(MAX_TRACESTATE_CHARS);
    }),
  );
});
