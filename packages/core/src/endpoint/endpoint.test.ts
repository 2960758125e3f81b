import fc from "fast-check";
import { expect, test } from "vitest";
import { statesOf } from "../../test/endpoints.ts";
import type { EndpointState, Exchange } from "./endpoint.ts";

const oneState = () => statesOf(1)[0] as EndpointState;

test("knows how many exchanges are in flight and which is the oldest, in whatever order they end", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("begin" as const), fc.nat(20)), { maxLength: 60 }), (steps) => {
      const state = oneState();
      const running: Exchange[] = [];
      const ended: Exchange[] = [];
      let now = 0;
      for (const step of steps) {
        now++;
        if (step === "begin") running.push(state.begin(now));
        else ended.push(...running.splice(step % Math.max(1, running.length), 1));
        for (const exchange of ended) state.release(exchange);
        expect(state.inFlight).toBe(running.length);
        expect(state.oldest?.startedAt).toBe(running[0]?.startedAt);
      }
      for (const exchange of running) state.release(exchange);
      expect(state.inFlight).toBe(0);
      expect(state.oldest).toBe(null);
    }),
  );
});

test("half-open, it is being probed until its one exchange is released", () => {
  const state = oneState();
  const before = state.begin(0);
  expect(state.isProbed).toBe(false);
  state.status = "half-open";
  expect(state.isProbed).toBe(false);
  const probe = state.begin(1);
  expect(state.isProbed).toBe(true);
  state.release(before);
  expect(state.isProbed).toBe(true);
  state.release(probe);
  expect(state.isProbed).toBe(false);
  const again = state.begin(2);
  expect(state.isProbed).toBe(true);
  state.status = "ready";
  expect(state.isProbed).toBe(false);
  state.release(again);
});
