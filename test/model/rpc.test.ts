import { status } from "@grpc/grpc-js";
import { type TestMesh, testMesh } from "@heddle/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assertProperty, RUNS } from "./property.ts";
import { type RpcCaller, startCall } from "./rpc-callers.ts";
import { ENDPOINTS, type RpcCommand, type RpcScenario, rpcScenario } from "./rpc-commands.ts";
import { RpcServers, type Try } from "./rpc-servers.ts";

const USUAL_RUNS = 200;

function document(endpoints: readonly string[]): object {
  const reviews = {
    protocol: "grpc",
    endpoints: endpoints.map((address) => ({ address })),
    timeout: { total: "20s" },
    outlier: "off",
    breaker: "off",
    retry: {
      maxRetries: 3,
      on: ["grpc:unavailable"],
      budget: { percent: 100, minPerSecond: 1_000 },
      backoff: { base: "5ms", max: "20ms" },
    },
  };
  return { apiVersion: "heddle/v1", services: { reviews } };
}

interface Run {
  readonly t: TestMesh;
  readonly servers: RpcServers;
  readonly callers: RpcCaller[];
}

async function act({ t, servers, callers }: Run, command: RpcCommand): Promise<void> {
  switch (command.kind) {
    case "start": {
      const number = callers.length;
      callers.push(startCall(t, command.rpc, number, () => servers.tries.get(number)?.length ?? 0));
      return;
    }
    case "pass":
      return t.advance(command.ms);
    case "edit":
      t.update(document(command.endpoints));
      return;
    case "kill":
      servers.kill(command.endpoint);
      return;
    case "revive":
      servers.revive(command.endpoint);
      return;
    default: {
      const caller = callers[command.call % Math.max(1, callers.length)];
      if (command.kind === "write") caller?.write();
      else if (command.kind === "half-close") caller?.halfClose();
      else caller?.[command.kind]();
    }
  }
}

/** Every reader reads on, every writer ends, and the longest deadline passes. */
async function finish({ t, callers }: Run): Promise<void> {
  for (const caller of callers) {
    caller.halfClose();
    caller.resume();
  }
  await t.advance("1m");
}

function check(caller: RpcCaller, tries: readonly Try[]): void {
  const { written, received, statuses, kind, number } = caller;
  const where = `call ${number}, ${kind}`;
  expect(
    statuses.map(({ code }) => code),
    `${where} has one status`,
  ).toHaveLength(1);
  for (const { exchange } of tries) {
    const taken = exchange.received.map(String);
    expect(taken, `${where}: a try gets the messages in order, each once, from the first on`).toEqual(written.slice(0, taken.length));
    expect(exchange.isOver, `${where}: nothing of it goes on`).toBe(true);
  }
  const last = tries.at(-1);
  if (caller.triesAtHead !== null) expect(tries.length, `${where}: no try after the one whose head came`).toBe(caller.triesAtHead);
  const sent = last?.sent ?? [];
  expect(received, `${where}: what came is what the last try sent, in order`).toEqual(sent.slice(0, received.length));
  const code = statuses[0]?.code;
  if (code === status.OK) {
    expect(last?.exchange.received.map(String), `${where}: ended with OK, no message is lost on the way there`).toEqual(written);
    expect(received, `${where}: ended with OK, no answer is lost on the way back`).toEqual(sent);
  }
  if (code === status.CANCELLED) expect(caller.wasCancelled, `${where}: only its caller cancels`).toBe(true);
}

const seen = { calls: 0, ok: 0, cancelled: 0, deadline: 0, failed: 0, replayedMessages: 0, failedAfterHead: 0, answers: 0 };

function count(caller: RpcCaller, tries: readonly Try[]): void {
  const code = caller.statuses[0]?.code;
  seen.calls++;
  if (code === status.OK) seen.ok++;
  else if (code === status.CANCELLED) seen.cancelled++;
  else if (code === status.DEADLINE_EXCEEDED) seen.deadline++;
  else seen.failed++;
  if (tries.length > 1 && tries[0]?.exchange.received.length && tries.at(-1)?.exchange.received.length) seen.replayedMessages++;
  if (code !== status.OK && caller.triesAtHead !== null) seen.failedAfterHead++;
  seen.answers += caller.received.length;
}

async function play({ seed, commands, plans }: RpcScenario): Promise<void> {
  const t = testMesh({ config: document(ENDPOINTS), seed });
  const run: Run = { t, servers: new RpcServers(t, plans), callers: [] };
  try {
    for (const command of commands) await act(run, command);
    await finish(run);
    for (const caller of run.callers) {
      const tries = run.servers.tries.get(caller.number) ?? [];
      check(caller, tries);
      count(caller, tries);
    }
    expect(t.grpcTransport.inFlight, "exchanges that go on").toBe(0);
    expect(t.mesh.inspect().backends.map(({ inFlight, pending }) => inFlight + pending)).toEqual(t.mesh.inspect().backends.map(() => 0));
  } finally {
    await t.close();
  }
  expect(t.clock.pendingTimers, "timers that were left").toBe(0);
}

test("however writes, reads, cancels, edits and the deaths of endpoints interleave, a call loses no message and repeats none once its head came", {
  timeout: 300_000 + 500 * RUNS,
}, async () => {
  const runs = await assertProperty("test/model/rpc.test.ts", { usual: USUAL_RUNS }, (options) =>
    fc.assert(fc.asyncProperty(rpcScenario, play), options),
  );
  console.log(`${runs} runs contained`, seen);
  for (const [what, times] of Object.entries(seen)) expect([what, times > 0]).toEqual([what, true]);
});
