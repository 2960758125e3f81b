import { expect, test } from "vitest";
import { outcomeOf } from "../calls.ts";
import { liveMesh, serveText, textClient } from "./live.ts";

test("inspect() says how the channel of each endpoint stands, once it was called", async () => {
  const address = await serveText({
    unary: (call: { request: string }, done: (error: null, text: string) => void) => done(null, call.request),
  });
  const mesh = liveMesh([address, "127.0.0.1:1"], { balancer: { policy: "round-robin" }, outlier: "off", breaker: "off", retry: "off" });
  const client = textClient(mesh);
  const states = () =>
    Object.fromEntries((mesh.inspect().backends[0]?.endpoints ?? []).map((endpoint) => [endpoint.address, endpoint.connectivity]));
  await outcomeOf((done) => client.unary("first", done));
  expect(Object.values(states()).filter((state) => state !== undefined)).toHaveLength(1);
  for (let call = 0; call < 3; call++) await outcomeOf((done) => client.unary("x", done));
  expect(states()).toEqual({ [address]: "ready", "127.0.0.1:1": "transient-failure" });
});
