import { describe, expect, test } from "vitest";
import { ONE } from "./policy-mesh.ts";
import { PROTOCOLS } from "./protocols.ts";

const TWO = "127.0.0.1:9092";
const BOTH = [{ address: ONE }, { address: TWO }];
const SOON = { backoff: { base: "1ms", max: "1ms" } };

describe.each(PROTOCOLS)("over $name", (protocol) => {
  const outcomes = (report: { readonly attempts: readonly { readonly outcome: string }[] } | undefined) =>
    report?.attempts.map(({ outcome }) => outcome);

  test("what may pass is tried again on another endpoint, with the same text, and the caller sees the success alone", async () => {
    await using d = protocol.mesh({ endpoints: BOTH, retry: { ...protocol.retryOn("unavailable"), ...SOON } });
    d.at(ONE).answer("unavailable");
    d.at(TWO).answer("ok", { text: "two" });
    for (let call = 0; call < 4; call++) {
      const reply = await d.within("1s", { text: `text ${call}` });
      expect(reply).toMatchObject({ outcome: protocol.outcome("ok"), text: "two" });
    }
    expect(d.at(TWO).received).toEqual(["text 0", "text 1", "text 2", "text 3"]);
    expect(d.at(ONE).received.length).toBeGreaterThan(0);
  });

  test("tries end at maxRetries, the last answer is the caller's, and its report says why there was no other", async () => {
    await using d = protocol.mesh({ retry: { maxRetries: 2, ...protocol.retryOn("unavailable"), ...SOON } });
    d.at(ONE).answer("unavailable");
    const reply = await d.within("1s");
    expect(reply.outcome).toBe(protocol.outcome("unavailable"));
    expect(outcomes(reply.report)).toEqual(Array(3).fill(protocol.outcome("unavailable")));
    expect(reply.report?.attempts.at(-1)?.why).toBe("2 of 2 retries used");
  });

  test("what nobody named is final, and so is what the caller asked not to repeat", async () => {
    await using d = protocol.mesh({ retry: { ...protocol.retryOn("unavailable"), ...SOON } });
    d.at(ONE).answer("internal").times(1).answer("unavailable");
    expect((await d.within("1s")).outcome).toBe(protocol.outcome("internal"));
    expect((await d.within("1s", { mesh: { retry: false } })).outcome).toBe(protocol.outcome("unavailable"));
    expect(d.at(ONE).received).toHaveLength(2);
  });

  test("what reached nobody is tried again without being named; what may have been acted on is not", async () => {
    await using d = protocol.mesh({ endpoints: BOTH, retry: { ...SOON }, outlier: "off" });
    d.at(ONE).refuse();
    for (let call = 0; call < 4; call++) expect((await d.within("1s")).outcome).toBe(protocol.outcome("ok"));
    d.at(ONE).restore().reset();
    d.at(TWO).reset();
    const before = d.t.attempts().length;
    expect((await d.within("1s")).outcome).toBe("connection_reset");
    expect(d.t.attempts()).toHaveLength(before + 1);
  });

  test("one budget bounds the retries of all calls together", async () => {
    const budget = { percent: 0, minPerSecond: 1 };
    await using d = protocol.mesh({ outlier: "off", retry: { maxRetries: 1, budget, ...protocol.retryOn("unavailable"), ...SOON } });
    d.at(ONE).answer("unavailable");
    const calls = 60;
    const replies = await Promise.all([...Array.from({ length: calls }, () => d.call()), d.t.advance("10ms")]);
    const refused = replies.filter((reply) => reply?.report?.attempts.at(-1)?.why?.includes("budget"));
    const retries = d.at(ONE).received.length - calls;
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThanOrEqual(10);
    expect(refused).toHaveLength(calls - retries);
  });

  test("a server's own wait is kept, and one that is too long ends the tries", async () => {
    await using d = protocol.mesh({ retry: { ...protocol.retryOn("exhausted"), ...SOON, retryAfter: { max: "3s" } }, timeout: "10s" });
    d.at(ONE).answer("exhausted", { waitMs: 2_000 }).times(1).answer("ok");
    const reply = d.call();
    await d.t.advance("1999ms");
    expect(d.at(ONE).received).toHaveLength(1);
    await d.t.advance("1ms");
    expect((await reply).outcome).toBe(protocol.outcome("ok"));
    d.at(ONE).restore().answer("exhausted", { waitMs: 4_000 });
    expect((await d.within("10s")).outcome).toBe(protocol.outcome("exhausted"));
    expect(d.at(ONE).received).toHaveLength(3);
  });

  test("the time of one try ends it alone, and the server of the next hears what is left of all", async () => {
    const on = protocol.name === "grpc" ? { on: ["grpc:deadline-exceeded"] } : { on: ["reset"], methods: ["POST"] };
    await using d = protocol.mesh({ timeout: "2s", retry: { ...on, perTryTimeout: "500ms", backoff: { base: "100ms", max: "100ms" } } });
    d.at(ONE).hang().times(1).answer("ok");
    const reply = await d.within("2s");
    expect(reply.outcome).toBe(protocol.outcome("ok"));
    expect(outcomes(reply.report)).toEqual(["attempt-timeout", protocol.outcome("ok")]);
    const [name, toMs] =
      protocol.name === "grpc"
        ? ["grpc-timeout", (value: unknown) => Number(String(value).slice(0, -1))]
        : (["x-envoy-expected-rq-timeout-ms", Number] as const);
    const [first, second] = d.at(ONE).headers.map((headers) => toMs(headers[name]));
    expect(first).toBe(2_000);
    expect(second).toBeGreaterThanOrEqual(1_400);
    expect(second).toBeLessThanOrEqual(1_500);
    expect(d.at(ONE).headers.map((headers) => headers["x-envoy-attempt-count"])).toEqual([undefined, "2"]);
  });
});
