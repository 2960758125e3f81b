import type { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { HOUR, leaf, root } from "../../test/authority.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { stateOf, workload } from "../../test/workload.ts";

const ID = "spiffe://shop.example/web";
const LONG = { notBeforeMs: 0, notAfterMs: 100 * HOUR };
const shop = root("shop root", LONG);
const process = workload(stateOf([leaf(shop, ID, LONG)], { "shop.example": [shop] }, 0), virtualClock());
const EVERYBODY = ["spiffe://shop.example/*"];

describe("options of a connection", () => {
  test("demand a verified server and replace the rules of host names", () => {
    const options = process.client(EVERYBODY).connectOptions("api.shop:8080");
    expect(options).toMatchObject({ rejectUnauthorized: true, servername: "api.shop", ALPNProtocols: ["http/1.1"] });
    expect(options).not.toHaveProperty("session");
    const none = {} as Parameters<NonNullable<typeof options.checkServerIdentity>>[1];
    expect(options.checkServerIdentity?.("api.shop", none)?.message).toBe(
      "this side refused the server: the peer presented no certificate, expected an X509-SVID",
    );
  });

  test.each([
    ["http1", "http/1.1"],
    ["http2", "h2"],
    ["grpc", "h2"],
  ] as const)("offer %s as %s", (protocol, alpn) => {
    expect(process.client(EVERYBODY, { protocol }).connectOptions("a").ALPNProtocols).toEqual([alpn]);
  });

  test.each([
    ["api.shop", null, "api.shop"],
    ["API.shop.:443", null, "api.shop"],
    ["api.shop", "shown.example", "shown.example"],
    ["10.0.0.1:80", null, undefined],
    ["[::1]:80", null, undefined],
    ["::1", null, undefined],
    ["10.0.0.1", "shown.example", "shown.example"],
  ])("ask %s, with the name %s, for %s", (authority, sni, expected) => {
    expect(process.client(EVERYBODY, { sni }).connectOptions(authority).servername).toBe(expected);
  });
});

test("a socket without a certificate is refused, whatever Node says", () => {
  const socket = { isSessionReused: () => false, alpnProtocol: false, authorized: true, getPeerCertificate: () => ({}) };
  const refusal = process.client(EVERYBODY).refusal(socket as unknown as TLSSocket, "api.shop");
  expect(refusal?.message).toBe("this side refused the server: the peer presented no certificate, expected an X509-SVID");
});

test("what is no pattern of SPIFFE IDs is a mistake, and so is none at all", () => {
  expect(() => process.client([])).toThrow(TypeError);
  expect(() => process.client(["spiffe://shop.example"])).toThrow(/is a trust domain, which no workload bears/);
  expect(() => process.client(["https://shop.example/web"])).toThrow(TypeError);
});

test("expecting the same is the same key, and anything else another", () => {
  const one = process.client([ID, ...EVERYBODY]).key;
  expect(process.client([...EVERYBODY, ID]).key).toBe(one);
  expect(new Set([one, process.client([ID]).key, process.client([ID], { sni: "x" }).key]).size).toBe(3);
});
