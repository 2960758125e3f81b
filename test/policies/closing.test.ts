import { expect, test } from "vitest";
import { meshOf, ONE } from "./policy-mesh.ts";

test("a try that closing cuts is not made again", async () => {
  const t = meshOf({ retry: { backoff: { base: "1s", max: "1s" } } });
  t.endpoint(ONE).hang();
  const outcome = t.request("http://reviews/").catch(({ code }) => code);
  await t.advance("10ms");
  const closed = t.mesh.close({ limit: "50ms" });
  await t.advance("50ms");
  await closed;
  expect(await outcome).toBe("closed");
  expect(t.attempts()).toHaveLength(1);
  expect(t.clock.pendingTimers).toBe(0);
});
