import { describe, expect, test } from "vitest";
import { bitString, boolean, der, integer, objectIdentifier, sequence, time } from "../../test/der-writer.ts";
import { booleanOf, childrenOf, elementAt, namedBitsOf, objectIdentifierOf, smallIntegerOf, timeOf, wholeElement } from "./der.ts";

const element = (bytes: Uint8Array) => elementAt(bytes, 0, bytes.length);
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("elementAt", () => {
  test.each([0, 1, 127, 128, 255, 256, 65_535, 65_536])("reads an element of %i bytes and its neighbours", (length) => {
    const parent = sequence(integer(1), der(0x04, Buffer.alloc(length)), integer(2));
    const children = childrenOf(wholeElement(parent, 0x30));
    expect(children.map((child) => child.end - child.contentStart)).toEqual([1, length, 1]);
  });

  test.each([
    ["nothing", ""],
    ["a tag alone", "30"],
    ["less content than said", "30 02 00"],
    ["an indefinite length", "30 80 00 00"],
    ["a long length for a short one", "30 81 01 00"],
    ["a length with a leading zero", `30 82 00 80 ${"00".repeat(128)}`],
    ["a length that is cut", "30 82 01"],
    ["a length beyond all memory", "30 84 ff ff ff ff"],
    ["a tag of several bytes", "1f 81 00 00"],
  ])("refuses %s", (_, bytes) => {
    expect(() => element(hex(bytes))).toThrow("");
  });

  test("does not let a child reach behind its parent, nor anything stand behind the whole", () => {
    expect(() => childrenOf(element(hex("30 02 04 05 00 00 00 00 00")))).toThrow("where 0 are left");
    expect(() => wholeElement(hex("30 00 00"), 0x30)).toThrow("1 bytes behind the end");
    expect(() => wholeElement(hex("31 00"), 0x30)).toThrow("tag 0x31");
  });
});

describe("values", () => {
  test("object identifiers are read and written alike", () => {
    for (const oid of ["2.5.29.17", "1.2.840.10045.4.3.2", "1.3.101.112", "0.9.2342", "2.999.1"]) {
      if (oid === "2.999.1") expect(objectIdentifierOf(element(hex("06 03 88 37 01")))).toBe(oid);
      else expect(objectIdentifierOf(element(objectIdentifier(oid)))).toBe(oid);
    }
    for (const wrong of ["06 00", "06 02 55 80", "06 03 55 80 01", "06 0a ff ff ff ff ff ff ff ff ff 7f"])
      expect(() => objectIdentifierOf(element(hex(wrong))), wrong).toThrow("");
  });

  test("bits are numbered from the first, whichever unused ones are left out", () => {
    expect([...namedBitsOf(element(bitString([0])))]).toEqual([0]);
    expect([...namedBitsOf(element(bitString([5, 6])))]).toEqual([5, 6]);
    expect([...namedBitsOf(element(bitString([0, 8])))]).toEqual([0, 8]);
    expect([...namedBitsOf(element(bitString([])))]).toEqual([]);
    expect([...namedBitsOf(element(hex("03 02 00 80")))]).toEqual([0]);
    for (const wrong of ["03 00", "03 01 01", "03 02 08 80", "03 02 07 81"])
      expect(() => namedBitsOf(element(hex(wrong))), wrong).toThrow("");
  });

  test("integers and booleans have one form", () => {
    expect([0, 1, 127, 128, 65_536].map((value) => smallIntegerOf(element(integer(value))))).toEqual([0, 1, 127, 128, 65_536]);
    for (const wrong of ["02 00", "02 02 00 01", "02 01 80", "02 05 01 00 00 00 00"])
      expect(() => smallIntegerOf(element(hex(wrong))), wrong).toThrow("");
    expect(booleanOf(element(boolean(true)))).toBe(true);
    for (const wrong of ["01 01 01", "01 00", "01 02 ff ff"]) expect(() => booleanOf(element(hex(wrong))), wrong).toThrow("");
  });

  test("times are read in both forms, and only real ones", () => {
    for (const ms of [
      0,
      Date.UTC(1999, 11, 31, 23, 59, 59),
      Date.UTC(2049, 11, 31),
      Date.UTC(2050, 0, 1),
      Date.UTC(9999, 11, 31, 23, 59, 59),
    ])
      expect(timeOf(element(time(ms)))).toBe(ms);
    const text = (tag: number, written: string) => element(der(tag, Buffer.from(written)));
    expect(timeOf(text(0x17, "500101000000Z"))).toBe(Date.UTC(1950, 0, 1));
    for (const wrong of ["260230000000Z", "261301000000Z", "260101240000Z", "260101006000Z", "2601010000Z", "260101000000+0100", ""])
      expect(() => timeOf(text(0x17, wrong)), wrong).toThrow("");
    for (const wrong of ["20260101000000.5Z", "20260101000000", "00000000000000Z"])
      expect(() => timeOf(text(0x18, wrong)), wrong).toThrow("");
  });
});
