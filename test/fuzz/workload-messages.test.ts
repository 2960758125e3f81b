import { createPublicKey } from "node:crypto";
import { compileSpiffeIdMatcher } from "@heddle/core";
import fc from "fast-check";
import { intermediate, leaf, NOW, root } from "../../packages/core/test/authority.ts";
import { parseWorkloadAddress } from "../../packages/spiffe/src/workload-address.ts";
import { readWorkloadSvids, type WorkloadSvid } from "../../packages/spiffe/src/workload-messages.ts";
import { readState } from "../../packages/spiffe/src/workload-state.ts";
import { readFields } from "../../packages/spiffe/src/workload-wire.ts";
import { keyOf, sentSvid, WEB } from "../../packages/spiffe/test/fake-agent.ts";
import { encodeMessage, encodeSvid, field, type SentMessage, varint } from "../../packages/spiffe/test/workload-encoder.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const filled = fc.uint8Array({ minLength: 1, maxLength: 300 });
const text = fc
  .oneof(hostileText(3), fc.constantFrom(...HOSTILE_NAMES), fc.string({ unit: "grapheme" }))
  .map((each) => each.toWellFormed());

/** What a newer agent may send beside what is known: of every type. */
const unknownField: fc.Arbitrary<Buffer> = fc.oneof(
  fc.tuple(fc.integer({ min: 6, max: 2 ** 29 - 1 }), bytes).map(([number, content]) => field(number, content)),
  fc
    .tuple(fc.integer({ min: 1, max: 2 ** 29 - 1 }), fc.maxSafeNat())
    .map(([number, value]) => Buffer.concat([varint(number * 8), varint(value)])),
  fc
    .tuple(fc.integer({ min: 1, max: 2 ** 29 - 1 }), fc.uint8Array({ minLength: 8, maxLength: 8 }))
    .map(([number, content]) => Buffer.concat([varint(number * 8 + 1), content])),
  fc
    .tuple(fc.integer({ min: 1, max: 2 ** 29 - 1 }), fc.uint8Array({ minLength: 4, maxLength: 4 }))
    .map(([number, content]) => Buffer.concat([varint(number * 8 + 5), content])),
  fc
    .tuple(fc.integer({ min: 1, max: 2 ** 29 - 1 }), bytes)
    .map(([number, content]) => Buffer.concat([varint(number * 8 + 3), field(1, content), varint(number * 8 + 4)])),
);
const unknown = fc.array(unknownField, { maxLength: 2 }).map((parts) => Buffer.concat(parts));

const svid = fc.record({ spiffeId: text.filter((each) => each !== ""), chain: filled, key: filled, bundle: filled, hint: text });
const sent = fc.record({
  svids: fc.array(svid, { minLength: 1, maxLength: 3 }),
  crls: fc.array(bytes, { maxLength: 2 }),
  federated: fc.uniqueArray(fc.tuple(text, bytes), { maxLength: 3, selector: ([name]) => name }),
});

const partsOf = ({ svids, crls, federated }: typeof sent extends fc.Arbitrary<infer Sent> ? Sent : never): readonly Buffer[] => [
  ...svids.map((each) => field(1, encodeSvid(each))),
  ...crls.map((crl) => field(2, crl)),
  ...federated.map(([of, bundle]) => field(3, Buffer.concat([field(1, Buffer.from(of)), field(2, bundle)]))),
];

fuzz(
  "reads every message that an agent can send, with whatever a newer one says beside it",
  fc.tuple(sent, unknown, unknown),
  ([given, before, after]) => {
    const message = Buffer.concat([before, ...partsOf(given), after]);
    const read = readWorkloadSvids(message);
    if (!read.ok) throw new Error(read.reason);
    const plain = (content: Uint8Array) => Buffer.from(content).toString("hex");
    const shown = ({ spiffeId, hint, chain, key, bundle }: WorkloadSvid) => [spiffeId, hint, plain(chain), plain(key), plain(bundle)];
    expectSame(read.value.svids.map(shown), given.svids.map(shown));
    expectSame(
      [...read.value.federatedBundles].map(([of, bundle]) => [of, plain(bundle)]),
      given.federated.map(([of, bundle]) => [of, plain(bundle)]),
    );
    expectSame(read.value.hasRevocationLists, given.crls.length > 0);
  },
);

const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.oneof(
        unknownField,
        bytes.map((each) => Buffer.from(each)),
        fc.constantFrom(field(1, Buffer.alloc(0)), Buffer.from([0x0a, 0xff, 0xff, 0x03])),
      ),
      { maxLength: 8 },
    )
    .map((parts) => Buffer.concat(parts)),
);

fuzz("reads the fields of any bytes, all of them within, or says in which byte it cannot", hostileBytes, (given) => {
  const read = readFields(given);
  if (!read.ok) {
    expectSame(/^[ -~]+$/.test(read.reason), true, read.reason);
    return;
  }
  const found = read.value.reduce((sum, each) => sum + each.bytes.length, 0);
  expectSame(found <= given.length, true);
  for (const { number, bytes: content } of read.value) {
    expectSame(number >= 1 && number < 2 ** 29, true);
    expectSame(content.buffer, given.buffer);
  }
});

const shop = root("shop");
const middle = intermediate(shop, "middle");
const web = leaf(middle, WEB);
const own = { spiffeId: WEB, chain: Buffer.concat([web.der, middle.der]), key: keyOf(web), bundle: shop.der, hint: "internal" };
const WHOLE: SentMessage = {
  svids: [own, sentSvid(shop, "spiffe://shop.example/other")],
  federated: { "spiffe://partner.example": root("partner").der },
};
const MESSAGE = encodeMessage(WHOLE);
const shopKey = createPublicKey(shop.privateKey);
const secret = keyOf(web).subarray(40, 64);
const matcher = compileSpiffeIdMatcher(WEB);
if (!matcher.ok) throw new Error(matcher.reason);
const choice = { id: matcher.value, hint: null };

const changes = fc.array(fc.record({ at: fc.nat(9_999), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) }), {
  minLength: 1,
  maxLength: 3,
});

fuzz(
  "makes of a message that was changed nothing but an identity with its own key and roots, and never tells a key",
  changes,
  (edits) => {
    let message = MESSAGE;
    for (const { at, remove, insert } of edits) {
      const from = Math.floor((message.length * at) / 10_000);
      message = Buffer.concat([message.subarray(0, from), insert, message.subarray(from + remove)]);
    }
    const issued = readWorkloadSvids(message);
    const result = issued.ok ? readState(issued.value, choice, null, NOW) : issued;
    if (!result.ok) {
      for (const encoding of ["hex", "base64", "latin1"] as const)
        expectSame(result.reason.includes(secret.toString(encoding).slice(0, 12)), false, result.reason);
      expectSame(/^[ -~]+$/.test(result.reason), true, result.reason);
      return;
    }
    const { certificate, bundles } = result.value.state;
    expectSame(certificate.id.text, WEB);
    expectSame(Buffer.from(certificate.chain[0] ?? []).equals(web.der), true);
    // Keys that are equal to OpenSSL have the same public half alone.
    expectSame(certificate.privateKey.export({ format: "jwk" }).d, web.privateKey.export({ format: "jwk" }).d);
    // Nobody signed a root but itself, so that another signature on it makes no other root: what counts is its key.
    expectSame(
      bundles.byTrustDomain.get("shop.example")?.roots.map((each) => each.publicKey.equals(shopKey)),
      [true],
    );
  },
  { share: 0.2 },
);

const PIECES = [
  "unix:",
  "tcp:",
  "//",
  "/",
  "127.0.0.1",
  "[::1]",
  "[",
  "]",
  ":8081",
  ":",
  "0",
  "65536",
  "agent.sock",
  "%2f",
  "%00",
  "?",
  "#",
  "@",
  "\n",
  "..",
];

fuzz("reads an address as one for grpc-js, or says what is wrong", fc.oneof(piecesOf(PIECES, 8), hostileText()), (given) => {
  const read = parseWorkloadAddress(given);
  if (!read.ok) expectSame(/^[ -~]+$/.test(read.reason), true, read.reason);
  else
    expectSame(
      /^(?:unix:\/(?!\/)[^\p{Cc}]*[^/\p{Cc}]|ipv4:[\d.]+:\d{1,5}|ipv6:\[[\da-fA-F:.]+\]:\d{1,5})$/u.test(read.value.target),
      true,
      read.value.target,
    );
});
