import { describe, expect, test } from "vitest";
import { ONE, OTHER } from "./policy-mesh.ts";
import { PROTOCOLS } from "./protocols.ts";

// Where calls go: balancing by call, canaries, and endpoints that come and go.

const ALL = [ONE, "127.0.0.1:9092", "127.0.0.1:9093"] as const;
const endpoints = ALL.map((address) => ({ address }));

describe.each(PROTOCOLS)("over $name", (protocol) => {
  test.each(["round-robin", "random", "least-request"])(
    "calls one after another go to all endpoints alike by %s, not by connection",
    async (policy) => {
      await using d = protocol.mesh({ endpoints, balancer: { policy } });
      for (let call = 0; call < 90; call++) await d.call();
      const counts = ALL.map((address) => d.at(address).received.length);
      for (const count of counts) expect(count).toBeGreaterThan(policy === "round-robin" ? 29 : 15);
    },
  );

  test("a canary gets its share, and who asks for it by header gets it alone", async () => {
    const routes = [
      { name: "testers", match: { headers: { "x-user": { exact: "jason" } } }, to: [{ service: "other" }] },
      {
        name: "everybody",
        to: [
          { service: "reviews", weight: 90 },
          { service: "other", weight: 10 },
        ],
      },
    ];
    await using d = protocol.mesh({ routes });
    for (let call = 0; call < 20; call++) await d.call({ headers: { "x-user": "jason" } });
    expect([d.at(ONE).received.length, d.at(OTHER).received.length]).toEqual([0, 20]);
    for (let call = 0; call < 500; call++) await d.call();
    const share = d.at(OTHER).received.length - 20;
    expect(share).toBeGreaterThan(25);
    expect(share).toBeLessThan(80);
  });

  test("an edit moves new calls at once, and lets those under way end where they are", async () => {
    await using d = protocol.mesh();
    d.at(ONE).answer("ok", { text: "one", delay: "1s" });
    const early = d.call();
    await d.t.advance("10ms");
    d.update({ endpoints: [{ address: ALL[1] }] });
    d.at(ALL[1]).answer("ok", { text: "two" });
    expect((await d.call()).text).toBe("two");
    await d.t.advance("1s");
    expect((await early).text).toBe("one");
    expect(d.t.mesh.inspect().backends[0]?.endpoints.map(({ address }) => address)).toEqual([ALL[1]]);
  });
});
