import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WEB } from "../../packages/spiffe/test/fake-agent.ts";
import { encodeMessage } from "../../packages/spiffe/test/workload-encoder.ts";
import { type WorkloadAgent, workloadAgent } from "./workload-agent.ts";
import { messageNow, rootNow, svidNow, watchAgent } from "./workload-watch.ts";

const shop = rootNow("shop");
const partner = rootNow("partner");

describe.each(["unix", "tcp"] as const)("over %s", (where) => {
  let agent: WorkloadAgent;
  beforeEach(async () => {
    agent = await workloadAgent(where);
  });
  afterEach(() => agent[Symbol.asyncDispose]());
  const domainsOf = (watched: ReturnType<typeof watchAgent>) =>
    watched.states.map(({ bundles }) => [...bundles.byTrustDomain.keys()].map((name) => name.split(".")[0]).join("+"));

  test("tells the identity, and each message in place of the one before, on one stream", async () => {
    agent.send(messageNow(shop));
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.states.length === 1);
    expect(watched.states[0]?.certificate.id.text).toBe(WEB);
    agent.send(messageNow(shop, { federated: { "spiffe://partner.example": partner.der } }));
    await watched.until(() => watched.states.length === 2);
    agent.send(messageNow(shop));
    await watched.until(() => watched.states.length === 3);
    expect(domainsOf(watched)).toEqual(["shop", "shop+partner", "shop"]);
    expect(watched.states[1]?.bundles.byTrustDomain.get("shop.example")).toBe(watched.states[0]?.bundles.byTrustDomain.get("shop.example"));
    expect(watched.problems).toEqual([]);
    expect([agent.calls, agent.open]).toEqual([1, 1]);
  });

  test("reads a message that is larger than a packet, with many bundles", async () => {
    const many = Array.from({ length: 200 }, (_, at) => [`spiffe://partner-${at}.example`, partner.der] as const);
    agent.send(messageNow(shop, { federated: Object.fromEntries(many) }));
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.states.length === 1);
    expect(watched.states[0]?.bundles.byTrustDomain.size).toBe(201);
  });

  test("takes of several SVIDs the first, or the one that is named", async () => {
    const svids = [svidNow(shop, WEB, { hint: "internal" }), svidNow(shop, "spiffe://shop.example/api", { hint: "external" })];
    agent.send(encodeMessage({ svids }));
    using first = watchAgent({ address: agent.address });
    using hinted = watchAgent({ address: agent.address, hint: "external" });
    using named = watchAgent({ address: agent.address, id: "spiffe://shop.example/api" });
    using neither = watchAgent({ address: agent.address, hint: "public" });
    for (const [watched, id] of [
      [first, WEB],
      [hinted, "spiffe://shop.example/api"],
      [named, "spiffe://shop.example/api"],
    ] as const) {
      await watched.until(() => watched.states.length === 1);
      expect(watched.states[0]?.certificate.id.text).toBe(id);
    }
    await neither.until(() => neither.problems.length === 1);
    expect(neither.problems[0]?.message).toContain(
      'no SVID has the hint "public"; issued are "spiffe://shop.example/web" (hint "internal")',
    );
  });

  test("outlives an agent that is started anew, with the identity in force meanwhile", async () => {
    agent.send(messageNow(shop));
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.states.length === 1);
    for (let restart = 1; restart <= 3; restart++) {
      await agent.stop();
      await watched.until(() => watched.problems.length === restart);
      expect(watched.problems.at(-1)).toMatchObject({
        severity: "warning",
        message: expect.stringContaining(`${WEB} stays in force until`),
      });
      agent.send(messageNow(shop));
      await agent.start();
      await watched.until(() => watched.states.length === restart + 1);
      expect(watched.states[restart]?.certificate).not.toBe(watched.states[restart - 1]?.certificate);
    }
  });

  test("waits for an agent that is not there yet", async () => {
    await agent.stop();
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.problems.length === 1);
    expect(watched.problems[0]).toEqual({
      where: agent.address,
      message: expect.stringMatching(
        /^the agent cannot be reached or does not answer \(UNAVAILABLE, .*\); trying again; until then this process has no identity$/,
      ),
      severity: "error",
    });
    agent.send(messageNow(shop));
    await agent.start();
    await watched.until(() => watched.states.length === 1);
    expect(watched.problems).toHaveLength(1);
  });

  test("tells that no identity is issued, and takes it once it is", async () => {
    agent.refuse(status.PERMISSION_DENIED, "no identity issued");
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => agent.calls >= 3);
    expect(watched.problems.map(({ message }) => message)).toEqual([
      'the agent issues no identity to this process (PERMISSION_DENIED, "no identity issued"); expected a registration entry that this process matches; ' +
        "trying again; until then this process has no identity",
    ]);
    agent.send(messageNow(shop));
    await watched.until(() => watched.states.length === 1);
    agent.refuse(status.PERMISSION_DENIED, "no identity issued");
    await watched.until(() => watched.problems.length === 2);
    expect(watched.problems[1]).toMatchObject({ severity: "warning" });
  });

  test("goes on, on the same stream, after a message that is garbage", async () => {
    agent.send(Buffer.from("garbage"));
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.problems.length === 1);
    agent.send(messageNow(shop));
    await watched.until(() => watched.states.length === 1);
    agent.send(messageNow(shop, { svids: [svidNow(shop, WEB, { bundle: partner.der })] }));
    await watched.until(() => watched.problems.length === 2);
    expect(watched.problems.map(({ message, severity }) => [severity, message])).toEqual([
      ["error", expect.stringMatching(/^the last message cannot be read: /)],
      ["warning", expect.stringContaining("expected the roots of the certificate's own authority")],
    ]);
    agent.send(messageNow(shop));
    await watched.until(() => watched.states.length === 2);
    expect([agent.calls, agent.open]).toEqual([1, 1]);
  });

  test.each([undefined, status.INTERNAL])("hears what was said right before the stream ended (%s)", async (code) => {
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => agent.open === 1);
    agent.send(messageNow(shop));
    agent.endStreams(code);
    await watched.until(() => watched.states.length >= 1);
    await watched.until(() => agent.calls >= 2 && watched.problems.length >= 1);
  });

  test("gives up a message that is too large, and takes the next stream's", async () => {
    agent.send(Buffer.alloc(5 * 1024 * 1024));
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.problems.length === 1);
    expect(watched.problems[0]?.message).toContain("RESOURCE_EXHAUSTED");
    agent.send(messageNow(shop));
    await watched.until(() => watched.states.length === 1);
  });

  test("ends its stream when it is closed", async () => {
    agent.send(messageNow(shop));
    const watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.states.length === 1);
    expect(agent.open).toBe(1);
    watched.close();
    watched.close();
    await watched.until(() => agent.open === 0);
    expect(watched.problems).toEqual([]);
  });
});

test("what others need to be told to go through a proxy, it does not hear", async () => {
  await using agent = await workloadAgent("tcp");
  agent.send(messageNow(shop));
  process.env.grpc_proxy = "http://127.0.0.1:1";
  try {
    using watched = watchAgent({ address: agent.address });
    await watched.until(() => watched.states.length === 1);
    expect(watched.problems).toEqual([]);
  } finally {
    delete process.env.grpc_proxy;
  }
});
