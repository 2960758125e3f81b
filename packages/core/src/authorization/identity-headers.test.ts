import { expect, test } from "vitest";
import { inboundPolicyOf } from "../../test/builders.ts";
import { pass } from "../../test/token-issuer.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { type InboundConnection, UNKNOWN_CONNECTION } from "../inbound-connection.ts";
import type { InboundRefusal } from "../inbound-refusal.ts";
import type { HeaderMap } from "../message.ts";
import { identityHeaders } from "./identity-headers.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const GATEWAY = "spiffe://shop.example/ns/edge/sa/gateway";
const clock = virtualClock();

function from(spiffeId: string | null): InboundConnection {
  if (spiffeId === null) return UNKNOWN_CONNECTION;
  const peer = { spiffeId, trustDomain: "shop.example", namespace: null, serviceAccount: null, fingerprint: "" };
  return { ...UNKNOWN_CONNECTION, isEncrypted: true, peer };
}

function send(headers: HeaderMap, peer: string | null, trustedPeers: readonly string[] = ["spiffe://shop.example/ns/edge/*"]) {
  return pass(
    identityHeaders(() => inboundPolicyOf("reviews", { trustedPeers })),
    headers,
    { clock },
    from(peer),
  );
}

const spoofed = { "x-forwarded-client-cert": `By=${GATEWAY};URI=${WEB}`, accept: "*/*" };

test.each([
  ["a connection without an identity", null, undefined],
  ["a peer that is not trusted", WEB, undefined],
  ["a peer whose ID begins like a trusted one", "spiffe://shop.example/ns/edges/sa/gateway", undefined],
  ["a peer of another trust domain", "spiffe://shop.example.evil/ns/edge/sa/gateway", undefined],
  ["a peer where nobody is trusted", GATEWAY, []],
  ["a peer where the pattern is none", GATEWAY, ["spiffe://*/ns/edge/*"]],
])("takes the header of %s away, whatever it holds", async (_what, peer, trusted) => {
  for (const value of [spoofed["x-forwarded-client-cert"], "", "not;readable", ["a", "b"]]) {
    const passage = await send({ ...spoofed, "x-forwarded-client-cert": value }, peer, trusted);
    if (passage.kind === "refused") throw passage.error;
    expect({ ...passage.headers }).toEqual({ accept: "*/*" });
    expect(passage.inbound.forwardedPeers).toEqual([]);
  }
});

test("takes the header away also where no policy is known", async () => {
  const passage = await pass(
    identityHeaders(() => null),
    spoofed,
    { clock },
    from(GATEWAY),
  );
  expect(passage.kind === "passed" && { ...passage.headers }).toEqual({ accept: "*/*" });
});

test("believes a trusted peer, and leaves it the peer of the request", async () => {
  const passage = await send(spoofed, GATEWAY);
  if (passage.kind === "refused") throw passage.error;
  expect(passage.headers).toBe(spoofed);
  expect(passage.inbound.forwardedPeers).toEqual([{ uris: [WEB], by: GATEWAY, hash: null, subject: null, dnsNames: [] }]);
  expect(passage.inbound.peer?.spiffeId).toBe(GATEWAY);
});

test("joins the fields of a trusted peer, as every proxy on the way may have", async () => {
  const passage = await send({ "x-forwarded-client-cert": [`URI=${WEB}`, `URI=${GATEWAY}`] }, GATEWAY);
  expect(passage.kind === "passed" && passage.inbound.forwardedPeers.map(({ uris }) => uris)).toEqual([[WEB], [GATEWAY]]);
});

test("refuses what a trusted peer sends and nobody can read", async () => {
  for (const value of ["", "URI", `URI=${WEB};Role=admin`, [`URI=${WEB}`, ""]]) {
    const passage = await send({ "x-forwarded-client-cert": value }, GATEWAY);
    expect(passage.kind).toBe("refused");
    const { code, status, body, headers } = (passage as { error: InboundRefusal }).error;
    expect({ code, status, body, headers }).toEqual({ code: "invalid_request", status: 400, body: "", headers: {} });
  }
});

test("a request without the header passes as it is", async () => {
  const headers = { accept: "*/*" };
  const passage = await send(headers, null);
  expect(passage.kind === "passed" && passage.headers).toBe(headers);
});
