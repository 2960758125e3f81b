import { expect, test } from "vitest";
import { clientAddress } from "./client-address.ts";
import { parseAddress } from "./terms/ip-block.ts";

const PEER = parseAddress("10.0.0.9");

function known(text: string): object {
  return { kind: "known", address: parseAddress(text) };
}

test("without a trusted hop the client is the peer, whatever the header says", () => {
  expect(clientAddress("1.1.1.1", PEER, 0)).toEqual(known("10.0.0.9"));
});

test("each trusted hop leads one address further to the left", () => {
  const header = "6.6.6.6, 1.1.1.1, 2.2.2.2,3.3.3.3";
  expect(clientAddress(header, PEER, 1)).toEqual(known("3.3.3.3"));
  expect(clientAddress(header, PEER, 2)).toEqual(known("2.2.2.2"));
  expect(clientAddress(header, PEER, 3)).toEqual(known("1.1.1.1"));
});

test("several fields are one list", () => {
  expect(clientAddress(["6.6.6.6", "1.1.1.1, 2.2.2.2"], PEER, 3)).toEqual(known("6.6.6.6"));
});

test("where the header has fewer addresses than trusted hops, or is not there, the client is the peer", () => {
  expect(clientAddress("1.1.1.1", PEER, 2)).toEqual(known("10.0.0.9"));
  expect(clientAddress(undefined, PEER, 2)).toEqual(known("10.0.0.9"));
});

test.each(["", " ", "unknown", "1.1.1.1:80", "[2001:db8::1]", "1.1.1.1,", ",,", "fe80::1%eth0", "01.1.1.1", "1.1.1.1 2.2.2.2"])(
  "what a trusted hop wrote as %j makes the client unknown",
  (header) => {
    expect(clientAddress(header, PEER, 1)).toMatchObject({ kind: "unknown", why: expect.stringContaining("entry 1 from the right") });
  },
);

test("an entry between the client and the peer must be an address too", () => {
  expect(clientAddress("1.1.1.1, nobody", PEER, 2)).toMatchObject({ kind: "unknown" });
});

test("what stands left of the client is not read", () => {
  expect(clientAddress("nobody, <script>, 1.1.1.1", PEER, 1)).toEqual(known("1.1.1.1"));
});

test("a connection without an address has no known client", () => {
  expect(clientAddress(undefined, null, 0)).toMatchObject({ kind: "unknown" });
});
