import fc from "fast-check";
import { newKeyPair, readCertificateRequest, writeCertificateRequest } from "../../packages/spiffe/src/index.ts";
import { fuzz } from "./fuzz.ts";

const keys = newKeyPair();
const request = writeCertificateRequest(keys, "spiffe://shop.example/web");

const edits = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 9_999 }),
    remove: fc.integer({ min: 0, max: 3 }),
    insert: fc.uint8Array({ maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
);

fuzz("a certificate request with a few bytes changed gives a key only if nothing was changed", edits, (changes) => {
  let changed: Buffer = request;
  for (const { at, remove, insert } of changes) {
    const from = Math.floor((changed.length * at) / 10_000);
    changed = Buffer.concat([changed.subarray(0, from), insert, changed.subarray(from + remove)]);
  }
  if (readCertificateRequest(changed).ok && !changed.equals(request)) throw new Error(`${changed.toString("hex")} was accepted`);
});

fuzz("any bytes give no key, and never throw", fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
  if (readCertificateRequest(bytes).ok) throw new Error("was accepted");
});

/** ASN.1 that nests, names lengths that are not there, and says the same twice. */
const nested = fc
  .tuple(fc.constantFrom(0x30, 0x31, 0xa0, 0x24, 0x23), fc.integer({ min: 1, max: 4_000 }), fc.boolean())
  .map(([tag, depth, isIndefinite]) => Buffer.concat([...Array(depth).fill(Buffer.from([tag, isIndefinite ? 0x80 : 0x84]))]));

fuzz("ASN.1 that nests without an end gives no key, soon", nested, (bytes) => {
  if (readCertificateRequest(bytes).ok) throw new Error("was accepted");
});
