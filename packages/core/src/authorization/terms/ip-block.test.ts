import { BlockList, isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { IpBlocks, ipBlockProblem, parseAddress } from "./ip-block.ts";

const SEED = 20262;

function isIn(address: string, ...blocks: string[]): boolean {
  const parsed = parseAddress(address);
  if (parsed === null) throw new Error(`${address} is not an address`);
  return new IpBlocks(blocks).has(parsed);
}

test("takes an address of a block, and none beside it", () => {
  expect(isIn("10.1.2.3", "10.0.0.0/8")).toBe(true);
  expect(isIn("11.0.0.0", "10.0.0.0/8")).toBe(false);
  expect(isIn("9.255.255.255", "10.0.0.0/8")).toBe(false);
  expect(isIn("10.1.2.3", "10.1.2.3")).toBe(true);
  expect(isIn("10.1.2.4", "10.1.2.3")).toBe(false);
  expect(isIn("2001:db8::1", "2001:db8::/32")).toBe(true);
  expect(isIn("2001:db9::1", "2001:db8::/32")).toBe(false);
  expect(isIn("255.1.1.1", "0.0.0.0/0")).toBe(true);
});

test("ignores the bits after the prefix of a block", () => {
  expect(isIn("10.9.9.9", "10.1.2.3/8")).toBe(true);
});

test("finds an address in any of many blocks that overlap", () => {
  const blocks = ["10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "192.168.1.0/24", "1.2.3.4", "::1"];
  for (const inside of ["10.200.0.1", "192.168.1.77", "1.2.3.4", "::1"]) expect(isIn(inside, ...blocks)).toBe(true);
  for (const outside of ["11.0.0.0", "192.168.2.0", "1.2.3.5", "::2"]) expect(isIn(outside, ...blocks)).toBe(false);
});

test("takes an IPv6 address that maps an IPv4 one for that one", () => {
  expect(isIn("::ffff:10.0.0.1", "10.0.0.0/8")).toBe(true);
  expect(isIn("::ffff:0a00:1", "10.0.0.0/8")).toBe(true);
  expect(isIn("10.0.0.1", "::ffff:10.0.0.0/104")).toBe(true);
  expect(isIn("11.0.0.1", "::ffff:10.0.0.0/104")).toBe(false);
  expect(isIn("10.0.0.1", "::/0")).toBe(false);
  expect(isIn("::ffff:10.0.0.1", "::/0")).toBe(false);
});

test("leaves the zone of an address out", () => {
  expect(parseAddress("fe80::1%eth0")).toBe(parseAddress("fe80::1"));
});

test.each([
  "10.0.0",
  "10.0.0.256",
  "10.0.0.01",
  "010.0.0.1",
  "10.0.0.1.2",
  "0x0a.0.0.1",
  " 10.0.0.1",
  "10.0.0.1 ",
  "167772161",
  "",
  "localhost",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8",
  "12345::",
  "::1.2.3",
  "1.2.3.4::",
  "::g",
  "[::1]",
  "10.0.0.1:80",
])("%j is not an address", (text) => {
  expect(parseAddress(text)).toBe(null);
});

test.each([
  ["10.0.0.0/33", "from 0 to 32"],
  ["10.0.0.0/", "from 0 to 32"],
  ["10.0.0.0/08", "from 0 to 32"],
  ["10.0.0.0/-1", "from 0 to 32"],
  ["::/129", "from 0 to 128"],
  ["::ffff:10.0.0.0/95", "from 96 to 128"],
  ["10.0.0.0/8/8", "from 0 to 32"],
  ["fe80::%eth0/10", "without a zone"],
  ["ten/8", "must begin with an IPv4 address"],
])("refuses the block %s in words", (block, words) => {
  expect(ipBlockProblem(block)).toContain(words);
  expect(() => new IpBlocks([block])).toThrow(words);
});

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((text) => isIPv6(text));

test("reads the addresses that node:net does, and no others", () => {
  const texts = fc.oneof(ipv4, ipv6, fc.stringMatching(/^[0-9a-f:.]{1,20}$/));
  fc.assert(
    fc.property(texts, (text) => {
      expect(parseAddress(text) !== null).toBe(isIPv4(text) || isIPv6(text));
    }),
    { seed: SEED, numRuns: 5000 },
  );
});

test("agrees with the block list of node:net", () => {
  const v4 = fc.record({ address: ipv4, block: ipv4, bits: fc.integer({ min: 0, max: 32 }), family: fc.constant("ipv4" as const) });
  const v6 = fc.record({ address: ipv6, block: ipv6, bits: fc.integer({ min: 0, max: 128 }), family: fc.constant("ipv6" as const) });
  fc.assert(
    fc.property(fc.oneof(v4, v6), fc.boolean(), ({ address, block, bits, family }, takesOwn) => {
      const asked = takesOwn ? block : address;
      const list = new BlockList();
      list.addSubnet(block, bits, family);
      expect(isIn(asked, `${block}/${bits}`)).toBe(list.check(asked, family));
    }),
    { seed: SEED, numRuns: 3000 },
  );
});
