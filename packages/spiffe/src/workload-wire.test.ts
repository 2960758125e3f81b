import { describe, expect, test } from "vitest";
import { field, varint } from "../test/workload-encoder.ts";
import { readFields } from "./workload-wire.ts";

const reading = (...parts: readonly Uint8Array[]) => readFields(Buffer.concat(parts));
const bytes = (...values: readonly number[]) => Buffer.from(values);

describe("readFields", () => {
  test("reads fields that hold bytes, in their order, and the same one twice", () => {
    expect(reading(field(1, Buffer.from("a")), field(300, Buffer.alloc(0)), field(1, Buffer.from("b")))).toEqual({
      ok: true,
      value: [
        { number: 1, bytes: Buffer.from("a") },
        { number: 300, bytes: Buffer.alloc(0) },
        { number: 1, bytes: Buffer.from("b") },
      ],
    });
    expect(reading()).toEqual({ ok: true, value: [] });
  });

  test("reads lengths of more than one byte", () => {
    const long = Buffer.alloc(70_000, 7);
    expect(reading(field(2, long))).toEqual({ ok: true, value: [{ number: 2, bytes: long }] });
  });

  test("passes over numbers, fixed ones and groups", () => {
    const unknown = [
      [varint(9 * 8 + 0), varint(2 ** 40)],
      [varint(9 * 8 + 0), bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)],
      [varint(9 * 8 + 1), Buffer.alloc(8, 1)],
      [varint(9 * 8 + 5), Buffer.alloc(4, 1)],
      [varint(9 * 8 + 3), field(1, Buffer.from("in a group")), varint(7 * 8 + 3), varint(7 * 8 + 4), varint(9 * 8 + 4)],
    ];
    for (const parts of unknown)
      expect(reading(...parts, field(1, Buffer.from("x")))).toEqual({ ok: true, value: [{ number: 1, bytes: Buffer.from("x") }] });
  });

  test.each([
    ["a number that does not end", bytes(0x80), "has no number that can be read"],
    ["a number above 2^29 - 1", [...varint(2 ** 32 + 2)], "has no number that can be read"],
    ["the number 0", bytes(0x02, 0x00), "has the number 0"],
    ["no length", bytes(0x0a), "field 1 at byte 0 is cut short"],
    ["less than the length", bytes(0x0a, 0x02, 0x41), "field 1 at byte 0 is cut short"],
    ["a length beyond everything", bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), "is cut short"],
    ["a length of eleven bytes", bytes(0x0a, ...Array(10).fill(0x80), 0x00), "is cut short"],
    ["a varint that does not end", bytes(0x08, 0x80), "field 1 at byte 0 is cut short"],
    ["less than eight bytes", bytes(0x09, 1, 2, 3), "is cut short"],
    ["less than four bytes", bytes(0x0d, 1, 2, 3), "is cut short"],
    ["a type that does not exist", bytes(0x0e), "of a type that does not exist"],
    ["a group without its end", bytes(0x0b), "the group 1 does not end"],
    ["a group without its beginning", bytes(0x0c), "ends a group that did not begin"],
    ["groups that cross", bytes(0x0b, 0x13, 0x0c, 0x14), "ends a group that did not begin"],
  ])("refuses %s", (_, given, reason) => {
    expect(readFields(Uint8Array.from(given))).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  test("refuses more fields than any message has, of whatever type", () => {
    const many = (one: Buffer, count: number) => Buffer.alloc(one.length * count, one);
    expect(readFields(many(bytes(0x08, 0x00), 10_000))).toEqual({ ok: true, value: [] });
    for (const one of [bytes(0x08, 0x00), bytes(0x0a, 0x00), bytes(0x0b)])
      expect(readFields(many(one, 10_001))).toEqual({ ok: false, reason: "it has more than 10000 fields" });
  });
});
