import type { TLSSocket } from "node:tls";
import { beforeEach, describe, expect, test } from "vitest";
import { HOUR, leaf, NOW, root } from "../../test/authority.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { bundlesOf, stateOf, type Workload, workload } from "../../test/workload.ts";
import type { AdmittedPeer } from "../server-tls.ts";
import { listenerTls } from "./listener-tls.ts";
import { SecureContexts } from "./secure-contexts.ts";
import { type PeerVerifier, peerVerifier } from "./verify-peer.ts";

const LONG = { notBeforeMs: NOW - 100 * HOUR, notAfterMs: NOW + 100 * HOUR };
const shop = root("shop root", LONG);
const other = root("other root", LONG);
const own = leaf(shop, "spiffe://shop.example/api", LONG);
const roots = { "shop.example": [shop] };
/** Expires an hour after NOW. */
const caller = leaf(shop, "spiffe://shop.example/web");

describe("whether a peer is still believed", () => {
  let wallMs: number;
  let process: Workload;
  let asked: number;
  let peer: AdmittedPeer;
  let anonymous: AdmittedPeer;

  beforeEach(() => {
    wallMs = NOW;
    const clock = { ...virtualClock(), wallTime: () => wallMs };
    process = workload(stateOf([own], roots, NOW), clock);
    asked = 0;
    const { verify, remembered } = peerVerifier();
    const verifier: PeerVerifier = {
      verify: (question) => {
        asked++;
        return verify(question);
      },
      remembered,
    };
    const { identity } = process;
    const contexts = new SecureContexts(identity);
    const server = listenerTls({ identity, contexts, verifier, clock, mode: () => "permissive", report: () => {} });
    const admitted = (raw?: Uint8Array): AdmittedPeer => {
      const verdict = server.verify(socketOf(raw));
      if (!("peer" in verdict)) throw new Error(verdict.refused);
      return verdict;
    };
    peer = admitted(caller.der);
    anonymous = admitted();
  });

  test("ends with the certificate of this side, however long its own lives, and for those who showed none", () => {
    process.source.update(stateOf([leaf(shop, "spiffe://shop.example/api", { ...LONG, notAfterMs: NOW + 60_000 })], roots, NOW));
    expect([peer.isCurrent(), anonymous.isCurrent()]).toEqual([true, true]);
    wallMs = NOW + 61_000;
    expect([peer.isCurrent(), anonymous.isCurrent()]).toEqual([false, false]);
    process.source.update(stateOf([own], roots, wallMs));
    expect([peer.isCurrent(), anonymous.isCurrent()]).toEqual([true, true]);
  });

  test("is looked into once, however many answers ask", () => {
    const before = asked;
    for (let answer = 0; answer < 100; answer++) expect(peer.isCurrent()).toBe(true);
    expect(asked - before).toBeLessThanOrEqual(1);
  });

  test("is looked into again where roots changed, and denied where its own was withdrawn", () => {
    expect(peer.isCurrent()).toBe(true);
    const both = bundlesOf({ "shop.example": [shop, other] });
    process.source.update({ certificate: process.identity.inForce().certificate, bundles: both });
    expect(peer.isCurrent()).toBe(true);
    const otherAlone = bundlesOf({ "shop.example": [other] });
    process.source.update({ certificate: process.identity.inForce().certificate, bundles: otherAlone });
    expect(peer.isCurrent()).toBe(false);
    process.source.update({ certificate: process.identity.inForce().certificate, bundles: both });
    expect(peer.isCurrent()).toBe(true);
  });

  test("ends with its certificate, though it was believed a moment before", () => {
    wallMs = NOW + HOUR - 1_000;
    expect(peer.isCurrent()).toBe(true);
    wallMs = NOW + HOUR + 1_000;
    expect(peer.isCurrent()).toBe(false);
  });

  test("is denied where the wall clock goes back to before the certificate", () => {
    expect(peer.isCurrent()).toBe(true);
    wallMs = NOW - 2 * HOUR;
    expect(peer.isCurrent()).toBe(false);
  });
});

function socketOf(raw: Uint8Array | undefined): TLSSocket {
  return { isSessionReused: () => false, getPeerCertificate: () => (raw === undefined ? {} : { raw }) } as unknown as TLSSocket;
}
