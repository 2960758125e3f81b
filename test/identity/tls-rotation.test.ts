import { describe, expect, test } from "vitest";
import { leafNow, rootNow, stateOf, workload } from "../../packages/core/test/workload.ts";
import { connect, listen, shake } from "./handshake.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const API = "spiffe://shop.example/ns/shop/sa/api";
const old = rootNow("shop root");
const young = rootNow("shop root of next year");

describe("roots are replaced without loss", () => {
  const onlyOld = { "shop.example": [old] };
  const both = { "shop.example": [old, young] };
  const onlyYoung = { "shop.example": [young] };
  const steps = [
    { trust: onlyOld, issuer: old },
    { trust: both, issuer: old },
    { trust: both, issuer: young },
    { trust: onlyYoung, issuer: young },
  ] as const;

  test("each process a step ahead of the other, in both directions", async () => {
    const web = workload(stateOf([leafNow(old, WEB)], onlyOld));
    const api = workload(stateOf([leafNow(old, API)], onlyOld));
    for (const { trust, issuer } of steps)
      for (const [process, id] of [
        [web, WEB],
        [api, API],
      ] as const) {
        process.source.update(stateOf([leafNow(issuer, id)], trust));
        const there = await shake(web.client([API]), api.server());
        const back = await shake(api.client([WEB]), web.server());
        expect([there.client, there.server, back.client, back.server]).toMatchObject([
          { said: "hello", error: null },
          { peer: { spiffeId: WEB } },
          { said: "hello", error: null },
          { peer: { spiffeId: API } },
        ]);
      }
  });

  test("and what the old root signed is refused afterwards, on both sides", async () => {
    const late = workload(stateOf([leafNow(old, WEB)], both));
    const done = workload(stateOf([leafNow(young, API)], onlyYoung));
    const there = await shake(late.client([API]), done.server());
    expect(there.server).toEqual({ refused: expect.stringMatching(/has no path to a root of shop\.example/) });
    expect(there.client.said).toBe("");
    const back = await shake(done.client([WEB]), late.server());
    expect(back.client.error?.message).toMatch(/has no path to a root of shop\.example/);
  });

  test("although its leaf was believed a moment ago", async () => {
    const web = workload(stateOf([leafNow(old, WEB)], both));
    const api = workload(stateOf([leafNow(young, API)], both));
    const tls = api.server();
    const listening = await listen(tls);
    await connect(web.client([API]), listening.port);
    expect(await listening.found()).toMatchObject({ peer: { spiffeId: WEB } });
    api.source.update(stateOf([leafNow(young, API)], onlyYoung));
    await connect(web.client([API]), listening.port);
    expect(await listening.found()).toEqual({ refused: expect.stringMatching(/has no path/) });
    await listening.close();
  });
});

test("a new certificate is presented by the very next connection, of client and listener", async () => {
  const roots = { "shop.example": [old] };
  const web = workload(stateOf([leafNow(old, WEB)], roots));
  const api = workload(stateOf([leafNow(old, API)], roots));
  const client = web.client(["spiffe://shop.example/*"]);
  const server = api.server();
  for (let round = 0; round < 5; round++) {
    const name = `spiffe://shop.example/round/${round}`;
    web.source.update(stateOf([leafNow(old, name)], roots));
    const api2 = stateOf([leafNow(old, `${name}/server`)], roots);
    api.source.update(api2);
    const shaken = await shake(client, server);
    expect(shaken.server).toMatchObject({ peer: { spiffeId: name } });
    const refusing = await shake(web.client(["spiffe://shop.example/nobody"]), server);
    expect(refusing.client.error?.message).toContain(`the peer is ${name}/server`);
  }
  expect([web.contexts.count, api.contexts.count]).toEqual([1, 1]);
});
