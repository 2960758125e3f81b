import { describe, expect, test } from "vitest";
import { encodeMessage, encodeSvid, field, type SentSvid, varint } from "../test/workload-encoder.ts";
import { readWorkloadSvids } from "./workload-messages.ts";

const svid: SentSvid = {
  spiffeId: "spiffe://shop.example/web",
  chain: Buffer.from("chain"),
  key: Buffer.from("key"),
  bundle: Buffer.from("roots"),
  hint: "internal",
};
const { hint: _, ...withoutHint } = svid;

describe("readWorkloadSvids", () => {
  test("reads SVIDs in their order, federated bundles by trust domain, and that there are revocation lists", () => {
    const other = { ...withoutHint, spiffeId: "spiffe://shop.example/other" };
    const federated = { "spiffe://partner.example": Buffer.from("p"), "spiffe://bank.example": Buffer.alloc(0) };
    expect(readWorkloadSvids(encodeMessage({ svids: [svid, other], crls: [Buffer.from("crl")], federated }))).toEqual({
      ok: true,
      value: {
        svids: [svid, { ...other, hint: "" }],
        federatedBundles: new Map(Object.entries(federated)),
        hasRevocationLists: true,
      },
    });
    expect(readWorkloadSvids(encodeMessage({ svids: [svid] }))).toMatchObject({
      value: { federatedBundles: new Map(), hasRevocationLists: false },
    });
  });

  test("passes over fields that it does not know, wherever they stand", () => {
    const unknown = Buffer.concat([field(17, Buffer.from("news")), varint(18 * 8), varint(1)]);
    const message = Buffer.concat([unknown, field(1, Buffer.concat([unknown, encodeSvid(svid), unknown])), unknown]);
    expect(readWorkloadSvids(message)).toMatchObject({ ok: true, value: { svids: [svid] } });
  });

  test("takes the last of a field that is there twice, and of a trust domain that is", () => {
    const twice = Buffer.concat([encodeSvid({ ...svid, hint: "old" }), encodeSvid({ hint: "new" })]);
    const one = encodeMessage({ federated: { "spiffe://a": Buffer.from("1") } });
    const two = encodeMessage({ federated: { "spiffe://a": Buffer.from("2") } });
    expect(readWorkloadSvids(Buffer.concat([field(1, twice), one, two]))).toMatchObject({
      value: { svids: [{ ...svid, hint: "new" }], federatedBundles: new Map([["spiffe://a", Buffer.from("2")]]) },
    });
  });

  test.each(["spiffe_id", "x509_svid", "x509_svid_key", "bundle"] as const)("refuses an SVID whose %s is missing or empty", (name) => {
    const key = ({ spiffe_id: "spiffeId", x509_svid: "chain", x509_svid_key: "key", bundle: "bundle" } as const)[name];
    const { [key]: _gone, ...missing } = svid;
    const empty = { ...svid, [key]: key === "spiffeId" ? "" : Buffer.alloc(0) };
    for (const broken of [missing, empty])
      expect(readWorkloadSvids(encodeMessage({ svids: [svid, broken] }))).toMatchObject({
        ok: false,
        reason: expect.stringMatching(`^SVID 2: the field ${name} is empty`),
      });
  });

  test("refuses a message without an SVID", () => {
    for (const message of [Buffer.alloc(0), encodeMessage({ federated: { "spiffe://a": Buffer.from("x") } })])
      expect(readWorkloadSvids(message)).toEqual({ ok: false, reason: "it holds no SVID, expected at least one" });
  });

  test("refuses text that is not UTF-8, and what is cut short within", () => {
    const bad = Buffer.from([0xff, 0xfe]);
    const cut = Buffer.from([0x0a, 0x05]);
    for (const [message, reason] of [
      [field(1, Buffer.concat([encodeSvid(svid), field(1, bad)])), "SVID 1: its spiffe_id or hint is not UTF-8"],
      [field(1, Buffer.concat([encodeSvid(svid), field(5, bad)])), "SVID 1: its spiffe_id or hint is not UTF-8"],
      [field(3, field(1, bad)), "federated bundle 1: its trust domain is not UTF-8"],
      [field(1, cut), "SVID 1: field 1 at byte 0 is cut short"],
      [field(3, cut), "federated bundle 1: field 1 at byte 0 is cut short"],
    ] as const)
      expect(readWorkloadSvids(message)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });
});
