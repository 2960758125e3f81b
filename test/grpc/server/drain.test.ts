import { type Client, connectivityState, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { call, type Outcome, started } from "./echo-service.ts";
import { check, SERVING_NAMES } from "./health-client.ts";
import { client, served } from "./serving.ts";

function stateOf(caller: Client): connectivityState {
  return caller.getChannel().getConnectivityState(false);
}

test("closing sends GOAWAY: calls in flight finish, new ones are refused, and the connection ends with the last of them", async () => {
  const { listener, mesh, inFlight } = await served({});
  const caller = client(listener.port, undefined, { "grpc.enable_retries": 0 });
  const stream = started(caller, "Talk", ["one"], {}, true);
  await stream.first;
  const closed = mesh.close({ limit: 10_000 });
  await expect.poll(() => stateOf(caller)).not.toBe(connectivityState.READY);
  expect((await call(caller, "Say", ["late"])).code).toBe(status.UNAVAILABLE);
  stream.send("two");
  stream.send(null);
  expect(await stream.outcome).toMatchObject({ code: status.OK, texts: ["one", "two"] });
  await closed;
  expect(inFlight()).toBe(0);
});

test("while it drains it goes on serving: no call of a client under load fails until it has closed", async () => {
  const { listener, mesh } = await served({});
  const caller = client(listener.port);
  expect((await call(caller, "Say", ["first"])).code).toBe(status.OK);
  const outcomes: Outcome[] = [];
  let isDone = false;
  const load = Array.from({ length: 8 }, async () => {
    while (!isDone) outcomes.push(await call(caller, "Say", ["x"]));
  });
  const closing = mesh.close({ drain: 500, limit: 10_000 });
  await expect.poll(() => check(caller)).toBe("NOT_SERVING");
  const before = outcomes.length;
  await expect.poll(() => outcomes.length).toBeGreaterThan(before + 50);
  isDone = true;
  await Promise.all(load);
  expect(outcomes.filter(({ code }) => code !== status.OK)).toEqual([]);
  await closing;
  expect(SERVING_NAMES).toContain("SERVING");
});

test("what does not finish within the limit is cut", async () => {
  const { listener, mesh, inFlight } = await served({}, { handlers: { Say: () => {} } });
  const held = started(client(listener.port), "Say", ["one"], {});
  await expect.poll(inFlight).toBe(1);
  const silent = client(listener.port);
  silent.waitForReady(Date.now() + 5_000, () => {});
  await mesh.close({ limit: 100 });
  expect((await held.outcome).code).not.toBe(status.OK);
  expect(inFlight()).toBe(0);
});

test("a server that the application shuts down itself ends its listener, and can be served again", async () => {
  const { listener, server, mesh } = await served({});
  const caller = client(listener.port);
  expect((await call(caller, "Say", ["one"])).code).toBe(status.OK);
  await new Promise((down) => server.tryShutdown(down));
  await listener.close();
  expect((await call(caller, "Say", ["one"])).code).toBe(status.UNAVAILABLE);
  expect(mesh.health().ok).toBe(true);
});

test("a server that the application shuts down by force cuts what is under way", async () => {
  const { listener, server, inFlight } = await served({}, { handlers: { Say: () => {} } });
  const held = started(client(listener.port), "Say", ["one"], {});
  await expect.poll(inFlight).toBe(1);
  server.forceShutdown();
  expect((await held.outcome).code).not.toBe(status.OK);
  await listener.close();
  expect(inFlight()).toBe(0);
});
