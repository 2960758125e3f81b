import { describe, expect, test } from "vitest";
import { ONE } from "./policy-mesh.ts";
import { type Driven, PROTOCOLS } from "./protocols.ts";

// Breaker, outlier detection and limits: what keeps calls from where they would fail.

const TWO = "127.0.0.1:9092";
const BOTH = [{ address: ONE }, { address: TWO }];

const backend = (d: Driven) => d.t.mesh.inspect().backends[0];

describe.each(PROTOCOLS)("over $name", (protocol) => {
  const ok = protocol.outcome("ok");

  test("a breaker opens by failures, sheds without asking, and closes when a probe succeeds", async () => {
    const breaker = { consecutiveFailures: 2, failurePercent: "off", openFor: "5s" };
    await using d = protocol.mesh({ breaker, outlier: "off", retry: "off" });
    d.at(ONE).answer("unavailable").times(2).answer("ok");
    for (let call = 0; call < 2; call++) expect((await d.call()).outcome).toBe(protocol.outcome("unavailable"));
    expect(backend(d)?.breaker).toBe("open");
    expect((await d.call()).outcome).toBe("breaker_open");
    expect(d.at(ONE).received).toHaveLength(2);
    await d.t.advance("10s");
    expect((await d.call()).outcome).toBe(ok);
    expect(backend(d)?.breaker).not.toBe("open");
  });

  test.each([
    ["missing", false],
    ["exhausted", false],
    ["internal", true],
    ["unavailable", true],
  ] as const)("an answer of %s counts as a failure: %s", async (word, isFailure) => {
    await using d = protocol.mesh({ breaker: { consecutiveFailures: 2, failurePercent: "off" }, outlier: "off", retry: "off" });
    d.at(ONE).answer(word);
    for (let call = 0; call < 3; call++) await d.call();
    expect(backend(d)?.breaker).toBe(isFailure ? "open" : "closed");
  });

  test("what counts as a failure is what the document says, for breaker, outlier detection and counters alike", async () => {
    await using d = protocol.mesh({
      endpoints: BOTH,
      outlier: { consecutiveFailures: 1 },
      retry: "off",
      failure: protocol.failure("missing"),
    });
    d.at(ONE).answer("missing");
    d.at(TWO).answer("internal");
    for (let call = 0; call < 10; call++) await d.call();
    const states = Object.fromEntries((backend(d)?.endpoints ?? []).map(({ address, state, failures }) => [address, [state, failures]]));
    expect(states).toEqual({ [ONE]: ["ejected", 1], [TWO]: ["ready", 0] });
  });

  test("an endpoint that keeps failing is ejected, and calls go elsewhere until it is tried again", async () => {
    await using d = protocol.mesh({
      endpoints: BOTH,
      retry: "off",
      balancer: { policy: "round-robin" },
      outlier: { consecutiveFailures: 3, baseEjection: "5s" },
    });
    d.at(ONE).answer("unavailable");
    const failures: string[] = [];
    for (let call = 0; call < 40; call++) {
      const { outcome } = await d.call();
      if (outcome !== ok) failures.push(outcome);
    }
    expect(failures).toEqual(Array(3).fill(protocol.outcome("unavailable")));
    d.at(ONE).restore().answer("ok");
    const before = d.at(ONE).received.length;
    await d.t.advance("1m");
    for (let call = 0; call < 40; call++) expect((await d.call()).outcome).toBe(ok);
    expect(d.at(ONE).received.length).toBeGreaterThan(before);
  });

  test("more calls than the limit are refused at once, and a call that ends makes room", async () => {
    await using d = protocol.mesh({ limits: { maxRequests: 2 }, retry: "off" });
    d.at(ONE).answer("ok", { delay: "1s" });
    const replies = Array.from({ length: 3 }, () => d.call());
    expect((await (replies[2] as Promise<{ outcome: string }>)).outcome).toBe("overloaded");
    expect(backend(d)?.inFlight).toBe(2);
    await d.t.advance("1s");
    expect((await Promise.all(replies)).map(({ outcome }) => outcome)).toEqual([ok, ok, "overloaded"]);
    expect((await d.within("1s")).outcome).toBe(ok);
    expect(backend(d)?.inFlight).toBe(0);
  });

  test("a caller that leaves frees its place, and is nobody's failure", async () => {
    await using d = protocol.mesh({ limits: { maxRequests: 1 }, breaker: { consecutiveFailures: 1 }, retry: "off" });
    d.at(ONE).hang().times(1).answer("ok");
    const leaving = new AbortController();
    const left = d.call({ signal: leaving.signal });
    await d.t.advance(0);
    leaving.abort(new Error("left"));
    expect((await left).outcome).toBe("cancelled");
    expect((await d.call()).outcome).toBe(ok);
    expect(backend(d)).toMatchObject({ breaker: "closed", inFlight: 0, endpoints: [{ failures: 0 }] });
  });
});
