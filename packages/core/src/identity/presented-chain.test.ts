import type { PeerCertificate } from "node:tls";
import { expect, test } from "vitest";
import { MAX_CHAIN } from "./certificate.ts";
import { presentedChain } from "./presented-chain.ts";

/** As Node makes them, each with the next as its issuer. */
function linked(length: number, end: (last: { issuerCertificate?: object }, first: object) => void = () => {}): PeerCertificate {
  const all = Array.from({ length }, (_, index): { raw: Buffer; issuerCertificate?: object } => ({ raw: Buffer.from([index]) }));
  for (const [index, each] of all.entries()) if (all[index + 1]) each.issuerCertificate = all[index + 1] as object;
  end(all[length - 1] as object, all[0] as object);
  return all[0] as unknown as PeerCertificate;
}

const bytesOf = (leaf: PeerCertificate) => presentedChain(leaf).map((der) => der[0]);

test("nothing was presented where Node gives an empty object", () => {
  expect(presentedChain({} as PeerCertificate)).toEqual([]);
});

test("a chain is read leaf first, to where it ends", () => {
  expect(bytesOf(linked(3))).toEqual([0, 1, 2]);
});

test("a root that is its own issuer, and any other circle, ends it", () => {
  const itself = (last: { issuerCertificate?: object }) => void Object.assign(last, { issuerCertificate: last });
  expect(bytesOf(linked(3, itself))).toEqual([0, 1, 2]);
  const circle = (last: { issuerCertificate?: object }, first: object) => void Object.assign(last, { issuerCertificate: first });
  expect(bytesOf(linked(3, circle))).toEqual([0, 1, 2]);
});

test("no more of a long one is read than a chain may have", () => {
  expect(bytesOf(linked(MAX_CHAIN + 5))).toHaveLength(MAX_CHAIN);
});
