import { describe, expect, test } from "vitest";
import { shake } from "./handshake.ts";
import { leafNow, middleNow, rootNow, stateOf, workload } from "./workload.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const API = "spiffe://shop.example/ns/shop/sa/api";
const shop = rootNow("shop root");
const upper = middleNow(shop, "shop upper");
const lower = middleNow(upper, "shop lower");
const roots = { "shop.example": [shop] };

const web = workload(stateOf([leafNow(lower, WEB), lower, upper], roots));
const api = workload(stateOf([leafNow(lower, API), lower, upper], roots));

describe("two workloads of one trust domain", () => {
  test("shake hands through intermediates, and each knows whom it met", async () => {
    const { client, server } = await shake(web.client([API]), api.server());
    expect(client).toEqual({ accepted: true, error: null, protocol: "TLSv1.3" });
    expect(server).toMatchObject({ peer: { spiffeId: WEB, trustDomain: "shop.example", namespace: "shop", serviceAccount: "web" } });
  });
});
