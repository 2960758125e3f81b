import { describe, expect, test } from "vitest";
import { ONE, OTHER, outcomes, SHADOW } from "./policy-mesh.ts";
import { type Driven, PROTOCOLS } from "./protocols.ts";

// Fallbacks, faults, mirrors, and services without an endpoint. What HTTP has beside this is in the file of each policy.

describe.each(PROTOCOLS)("over $name", (protocol) => {
  const ok = protocol.outcome("ok");
  const toOther = (...on: readonly (string | number)[]) => ({ fallback: { on, service: "other" } });

  test.each<[string, object, (d: Driven) => unknown, string]>([
    ["no-endpoint", { endpoints: [] }, () => undefined, "no_endpoint"],
    ["connect-failure", { retry: "off" }, (d) => d.at(ONE).refuse(), "connect_failed"],
    ["deadline", { timeout: "1s" }, (d) => d.at(ONE).hang(), "deadline_exceeded"],
    ["breaker-open", { breaker: { consecutiveFailures: 1 } }, (d) => d.at(ONE).answer("internal"), "breaker_open"],
  ])("on %s the answer is the fallback's, and what it stands in for is counted and reported", async (on, service, script, outcome) => {
    // A fallback of its own answer: the time of a call that is over is no time for another service.
    await using d = protocol.mesh({ ...service, fallback: { on: [on], respond: { status: 200 } } });
    script(d);
    if (on === "breaker-open") await d.call();
    const reply = await d.within("1s");
    expect(reply.report?.fallbackFor).toBe(outcome);
    expect(outcomes(d.t, "reviews")[outcome]).toBe(1);
  });

  test("another service answers in place of what its endpoint answered, with the same text, after the retries and only after them", async () => {
    const retry = { maxRetries: 1, ...protocol.retryOn("unavailable"), backoff: { base: "1ms", max: "1ms" } };
    await using d = protocol.mesh({ retry, ...toOther(protocol.condition("unavailable")) });
    d.at(ONE).answer("unavailable");
    d.at(OTHER).answer("ok", { text: "other" });
    const idempotent = { mesh: { idempotent: true } };
    expect(await d.within("1s", { text: "asked", ...idempotent })).toMatchObject({ outcome: ok, text: "other" });
    expect([d.at(ONE).received, d.at(OTHER).received]).toEqual([["asked", "asked"], ["asked"]]);
    d.at(ONE).answer("missing");
    expect((await d.within("1s", idempotent)).outcome).toBe(protocol.outcome("missing"));
    expect(d.at(OTHER).received).toHaveLength(1);
  });

  test("if the other service fails too, the first failure is the caller's", async () => {
    await using d = protocol.mesh({ retry: "off", ...toOther("connect-failure") });
    d.at(ONE).refuse();
    d.at(OTHER).refuse();
    expect((await d.within("1s")).outcome).toBe("connect_failed");
  });

  test("a delay holds the call back, and uses up its deadline", async () => {
    await using d = protocol.mesh({ fault: { delay: { duration: "200ms" } } });
    const slow = d.call();
    await d.t.advance("199ms");
    expect(d.at(ONE).received).toHaveLength(0);
    await d.t.advance("1ms");
    expect((await slow).outcome).toBe(ok);
    expect((await d.within("100ms", { mesh: { timeout: "100ms" } })).outcome).toBe("deadline_exceeded");
  });

  test("an abort asks no endpoint, and is not retried", async () => {
    const abort = protocol.name === "grpc" ? { grpc: "unavailable" } : { status: 503 };
    await using d = protocol.mesh({ fault: { abort }, retry: protocol.retryOn("unavailable") });
    expect((await d.within("5s")).outcome).toBe(protocol.outcome("unavailable"));
    expect([d.t.attempts(), d.at(ONE).received]).toEqual([[], []]);
  });

  test("a copy goes to the mirror; what becomes of it neither delays nor fails the call, and is counted apart", async () => {
    await using d = protocol.mesh({ mirror: { service: "shadow" } }, { shadow: { endpoints: [{ address: SHADOW }] } });
    d.at(SHADOW).answer("internal").times(1).hang().times(1).refuse();
    for (let call = 0; call < 3; call++) {
      expect((await d.call({ text: `text ${call}`, headers: { "x-user": "jason" } })).outcome).toBe(ok);
      await d.t.advance("10s");
    }
    expect(d.at(SHADOW).received).toEqual(["text 0", "text 1"]);
    expect(d.at(SHADOW).headers[0]?.["x-user"]).toBe("jason");
    expect(outcomes(d.t, "reviews")).toEqual({ [ok]: 3 });
    expect(outcomes(d.t, "mirror:shadow")).toEqual({ [protocol.outcome("internal")]: 1, deadline_exceeded: 1, connect_failed: 1 });
  });

  test("a call waits for the first endpoint and goes there at once; without one it ends when the wait is over", async () => {
    const whenEmpty = { wait: "2s" };
    await using d = protocol.mesh({ endpoints: [], whenEmpty });
    const reply = d.call();
    await d.t.advance("1500ms");
    d.update({ endpoints: [{ address: ONE }], whenEmpty });
    expect((await reply).outcome).toBe(ok);
    d.update({ endpoints: [], whenEmpty });
    expect((await d.within("2s")).outcome).toBe("no_endpoint");
  });

  test("a try that closing cuts is not made again", async () => {
    // A connection that broke is one of the things that grpc:unavailable names.
    const on = protocol.name === "grpc" ? protocol.retryOn("unavailable") : { on: ["reset"], methods: ["POST"] };
    await using d = protocol.mesh({ retry: { ...on, backoff: { base: "1s", max: "1s" } } });
    d.at(ONE).hang();
    const reply = d.call();
    await d.t.advance("10ms");
    const closed = d.t.mesh.close({ limit: "50ms" });
    await d.t.advance("50ms");
    await closed;
    expect((await reply).outcome).toBe("closed");
    expect(d.t.attempts()).toHaveLength(1);
    expect(d.t.clock.pendingTimers).toBe(0);
  });
});
