import type { HeaderMap } from "@heddle/core";
import fc from "fast-check";
import { expect } from "vitest";
import { readTraceContext, writeTraceContext } from "../../packages/core/src/telemetry/propagation.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { edited, edits, hostileText, piecesOf } from "./hostile.ts";

const HEX = "0123456789abcdef";
const hex = (length: number) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.array(fc.constantFrom(...HEX), { minLength: length, maxLength: length }).map((digits) => digits.join("")) },
    { weight: 1, arbitrary: fc.constantFrom("0".repeat(length), "f".repeat(length), "0".repeat(length - 1), "A".repeat(length)) },
  );

const traceparent = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: fc.constant("00") }, { weight: 1, arbitrary: hex(2) }),
    hex(32),
    hex(16),
    hex(2),
    fc.constantFrom("", "", "", "-", "-more", "more", `-${"x".repeat(300)}`),
  )
  .map(([version, trace, parent, flags, rest]) => `${version}-${trace}-${parent}-${flags}${rest}`);

const isHex = (text: string, length: number): boolean => text.length === length && [...text].every((digit) => HEX.includes(digit));
const isZero = (text: string): boolean => [...text].every((digit) => digit === "0");

/** W3C Trace Context 3.2.2, by position. */
function isValidParent(value: string): boolean {
  const version = value.slice(0, 2);
  const trace = value.slice(3, 35);
  const parent = value.slice(36, 52);
  const isFramed = value[2] === "-" && value[35] === "-" && value[52] === "-";
  if (!isFramed || !isHex(version, 2) || version === "ff" || !isHex(trace, 32) || isZero(trace)) return false;
  if (!isHex(parent, 16) || isZero(parent) || !isHex(value.slice(53, 55), 2)) return false;
  if (version === "00") return value.length === 55;
  const rest = value.slice(55);
  return value.length <= 256 && (rest === "" || (rest[0] === "-" && [...rest].every((character) => character > " " && character <= "~")));
}

const KEY_FIRST = "abcdefghijklmnopqrstuvwxyz0123456789";
const KEY_MORE = `${KEY_FIRST}_-*/@`;

/** Level 2, 3.3.1: `key=value`. */
function isValidMember(member: string): boolean {
  const equals = member.indexOf("=");
  const key = member.slice(0, Math.max(0, equals));
  const value = member.slice(equals + 1);
  if (equals < 1 || equals > 256 || value.length < 1 || value.length > 256 || value.endsWith(" ")) return false;
  const isKey = KEY_FIRST.includes(key.charAt(0)) && [...key].every((character) => KEY_MORE.includes(character));
  return isKey && [...value].every((character) => character >= " " && character <= "~" && character !== "," && character !== "=");
}

const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");

function expectState(given: string | string[], found: string | undefined): void {
  const members = (typeof given === "string" ? given : given.join(","))
    .split(",")
    .map(trimmed)
    .filter((member) => member !== "");
  if (members.length === 0 || members.length > 32 || !members.every(isValidMember)) {
    expect(found).toBeUndefined();
    return;
  }
  const kept = found === undefined ? [] : found.split(",");
  expect((found ?? "").length).toBeLessThanOrEqual(512);
  // Whole members, in their order, and all of them where they fit.
  let from = 0;
  for (const member of kept) {
    const at = members.indexOf(member, from);
    expect(at, member).toBeGreaterThanOrEqual(from);
    from = at + 1;
  }
  const whole = members.join(",");
  if (whole.length <= 512) expectSame(found, whole);
  else if (members.every(({ length }) => length <= 128)) expectSame(members.slice(0, kept.length), kept);
}

const member = fc.oneof(
  fc
    .tuple(fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,8}$/), fc.stringMatching(/^[!-+\--<>-~]{1,12}$/))
    .map(([key, value]) => `${key}=${value}`),
  fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.integer({ min: 100, max: 300 })).map(([key, length]) => `${key}=${"v".repeat(length)}`),
  piecesOf(["a", "1", "=", "@", " ", "\t", "\u00a0", "A", "\n", ""], 5),
);
const state = fc.oneof(
  fc.array(member, { maxLength: 6 }).map((members) => members.join(",")),
  fc.array(fc.stringMatching(/^[a-z]{1,9}=[a-z]{1,30}$/), { minLength: 28, maxLength: 36 }).map((members) => members.join(", ")),
  fc.array(hostileText(3), { maxLength: 3 }),
);

fuzz(
  "believes a trace context exactly if W3C Trace Context does",
  fc.tuple(
    fc.oneof(
      traceparent,
      traceparent.map((value) => [value]),
      fc.array(traceparent, { maxLength: 2 }),
      fc.tuple(traceparent, edits(["-", "0", "g", "F", " "], 2)).map(([value, changes]) => edited(value, changes)),
    ),
    fc.option(state, { nil: undefined }),
  ),
  ([parent, tracestate]) => {
    const headers: HeaderMap = { traceparent: parent, tracestate };
    const found = readTraceContext(headers);
    const only = typeof parent === "string" ? parent : parent.length === 1 ? parent[0] : undefined;
    if (only === undefined || !isValidParent(only)) {
      expect(found).toBeNull();
      return;
    }
    expectSame(found?.traceparent, only);
    if (tracestate !== undefined) expectState(tracestate, found?.tracestate);
    else expect(found?.tracestate).toBeUndefined();
    if (found === null) return;
    const written = writeTraceContext({ tracestate: "stale=1", baggage: "kept=1" }, found);
    expect(readTraceContext(written), "what is passed on is what was read").toEqual(found);
    expectSame(written.baggage, "kept=1");
  },
);
