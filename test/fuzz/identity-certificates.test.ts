import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import {
  booleanOf,
  childrenOf,
  type DerElement,
  elementAt,
  namedBitsOf,
  objectIdentifierOf,
  smallIntegerOf,
  TAG,
  timeOf,
} from "../../packages/core/src/identity/der.ts";
import { readTrustBundle, trustBundleFromDer, trustBundles } from "../../packages/core/src/identity/trust-bundles.ts";
import { peerVerifier } from "../../packages/core/src/identity/verify-peer.ts";
import { parseCertificate, splitCertificates } from "../../packages/core/src/identity/x509.ts";
import { readSvid } from "../../packages/core/src/identity/x509-svid.ts";
import { intermediate, leaf, NOW, root } from "../../packages/core/test/authority.ts";
import { expectSame, fuzz } from "./fuzz.ts";

const ID = "spiffe://shop.example/ns/shop/sa/web";
const shop = root("shop");
const middle = intermediate(shop, "middle");
const web = leaf(middle, ID);
const bank = root("bank");
const stranger = leaf(bank, ID);
const bundles = trustBundles([bundleOf("shop.example", shop.pem), bundleOf("bank.example", bank.pem)]);

function bundleOf(trustDomain: string, text: string) {
  const result = readTrustBundle(trustDomain, [{ text, from: "test" }]);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

interface ByteEdit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

const byteEdits = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 9_999 }),
    remove: fc.integer({ min: 0, max: 3 }),
    insert: fc.uint8Array({ maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Bytes overwritten, where as many come as go, which keeps the lengths around them right. */
const overwrites = fc.array(
  fc.record({ at: fc.integer({ min: 0, max: 9_999 }), remove: fc.constant(1), insert: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
  { minLength: 1, maxLength: 3 },
);

function editedBytes(bytes: Uint8Array, changes: readonly ByteEdit[]): Buffer {
  let result = Buffer.from(bytes);
  for (const { at, remove, insert } of changes) {
    const from = Math.floor((result.length * at) / 10_000);
    result = Buffer.concat([result.subarray(0, from), insert, result.subarray(from + remove)]);
  }
  return result;
}

const changes = fc.oneof(byteEdits, overwrites);

fuzz(
  "reads DER without a crash, and every child within its parent",
  fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    changes.map((each) => editedBytes(web.der, each)),
  ),
  (bytes) => {
    const visit = (start: number, end: number, depth: number): void => {
      const element = elementAt(bytes, start, end);
      if (element.start !== start || element.contentStart > element.end || element.end > end)
        throw new Error(`an element from ${element.start} to ${element.end} in ${start} to ${end}`);
      const read = READERS.get(element.tag);
      if (read !== undefined) orDerError(() => read(element));
      if ((element.tag & 0x20) !== 0 && depth < 20) for (const child of childrenOf(element)) visit(child.start, child.end, depth + 1);
    };
    orDerError(() => visit(0, bytes.length, 0));
  },
);

const READERS = new Map<number, (element: DerElement) => unknown>([
  [TAG.boolean, booleanOf],
  [TAG.integer, smallIntegerOf],
  [TAG.bitString, namedBitsOf],
  [TAG.objectIdentifier, objectIdentifierOf],
  [TAG.utcTime, timeOf],
  [TAG.generalizedTime, timeOf],
]);

function orDerError(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "DerError") throw error;
  }
}

fuzz(
  "what is read of a changed certificate is what OpenSSL reads of it",
  changes.map((each) => editedBytes(web.der, each)),
  (der) => {
    const found = parseCertificate(der);
    if (!found.ok) return;
    const expected = new X509Certificate(der);
    expectSame(found.value.isAuthority, expected.ca);
    expectSame(found.value.serial, expected.serialNumber);
    const id = readSvid(found.value);
    if (id.ok) expectSame(expected.subjectAltName?.includes(`URI:${id.value.text}`), true, expected.subjectAltName);
  },
);

fuzz(
  "a changed leaf is never who it says",
  fc.tuple(changes, fc.constantFrom<"server" | "client">("server", "client")),
  ([edits, purpose]) => {
    const der = editedBytes(web.der, edits);
    const verdict = peerVerifier().verify({ presented: [der, middle.der], bundles, nowMs: NOW, purpose, expected: null });
    expectSame(verdict.ok, der.equals(web.der));
  },
);

fuzz("a changed intermediate leads nowhere", changes, (edits) => {
  const der = editedBytes(middle.der, edits);
  const verdict = peerVerifier().verify({ presented: [web.der, der], bundles, nowMs: NOW, purpose: "server", expected: null });
  expectSame(verdict.ok, der.equals(middle.der));
});

const pool = [web.der, middle.der, shop.der, bank.der, stranger.der, Buffer.alloc(0), Buffer.from("3000", "hex")];

/** One memory for all of them: no order of chains makes it grant what it would not alone. */
const verifier = peerVerifier({ maxRemembered: 3 });

fuzz(
  "a chain of real certificates is granted only where the right leaf comes first and its issuer was seen with it",
  fc.tuple(fc.array(fc.constantFrom(...pool), { maxLength: 12 }), fc.constantFrom(NOW, NOW - 1e9, NOW + 1e9, Number.NaN)),
  ([presented, nowMs]) => {
    const verdict = verifier.verify({ presented, bundles, nowMs, purpose: "client", expected: null });
    const fresh = peerVerifier().verify({ presented, bundles, nowMs, purpose: "client", expected: null });
    if (verdict.ok || fresh.ok) expectSame(presented[0] === web.der && nowMs === NOW && presented.length <= 10, true);
    if (fresh.ok) expectSame(presented.includes(middle.der) && verdict.ok, true);
  },
);

fuzz(
  "rows of certificates and bundles of changed bytes are read or refused",
  changes.map((each) => editedBytes(Buffer.concat([shop.der, bank.der]), each)),
  (bytes) => {
    const parts = splitCertificates(bytes);
    if (parts.ok) expectSame(Buffer.concat(parts.value).equals(bytes), true);
    const bundle = trustBundleFromDer("shop.example", bytes, "test");
    if (bundle.ok)
      expectSame(
        bundle.value.roots.every((each) => each.isAuthority),
        true,
      );
  },
);
