import { describe, expect, test } from "vitest";
import { ONE } from "./policy-mesh.ts";
import { PROTOCOLS } from "./protocols.ts";

// What each protocol has beside this (the header of Envoy, answers that are neither finite nor streams) is in timeout-parts.test.ts.

describe.each(PROTOCOLS)("over $name", (protocol) => {
  const ok = protocol.outcome("ok");

  test("a duration alone bounds a finite answer until its last byte, and a stream until its head only", async () => {
    await using d = protocol.mesh({ timeout: "2s" });
    d.at(ONE).ticks(1_500, 2).times(1).ticks(1_500, 4, true).times(1).hang();
    expect((await d.within("2s")).outcome).toBe("deadline_exceeded");
    expect(await d.within("10s", { isStream: true })).toMatchObject({ outcome: ok, text: "0123" });
    expect((await d.within("2s", { isStream: true })).outcome).toBe("deadline_exceeded");
  });

  test("a total written as such holds for streams too", async () => {
    await using d = protocol.mesh({ timeout: { total: "2s" } });
    d.at(ONE).ticks(1_500, 4, true);
    expect((await d.within("2s", { isStream: true })).outcome).toBe("deadline_exceeded");
  });

  test("the call's own timeout narrows the route's, and never widens it", async () => {
    await using d = protocol.mesh({ timeout: { total: "1s" } });
    d.at(ONE).hang();
    expect((await d.within("500ms", { mesh: { timeout: "500ms" } })).outcome).toBe("deadline_exceeded");
    expect((await d.within("1s", { mesh: { timeout: "9s" } })).outcome).toBe("deadline_exceeded");
  });

  test("head bounds all tries until the head, and nothing after it", async () => {
    await using d = protocol.mesh({ timeout: { head: "1s" } });
    d.at(ONE).hang().times(1).ticks(5_000, 2, true);
    expect((await d.within("1s")).outcome).toBe("deadline_exceeded");
    expect(await d.within("10s", { isStream: true })).toMatchObject({ outcome: ok, text: "01" });
  });

  test("idle is the time since the last byte", async () => {
    await using d = protocol.mesh({ timeout: { idle: "1s" } });
    d.at(ONE).ticks(900, 5, true).times(1).ticks(1_100, 2, true);
    expect(await d.within("4500ms", { isStream: true })).toMatchObject({ outcome: ok, text: "01234" });
    expect((await d.within("3s", { isStream: true })).outcome).not.toBe(ok);
  });
});
