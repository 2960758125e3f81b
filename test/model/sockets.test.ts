import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { type Scenario, scenario } from "./commands.ts";
import { assertProperty, RUNS } from "./property.ts";
import { SHADOW } from "./settings.ts";
import { pause, type Servers, SocketWorld, startServers, wellBehaved } from "./socket-world.ts";

const DEFAULT_RUNS = 20;
const WITHIN_MS = 5_000;

test("over real sockets all settles, nothing unsafe is sent twice, and nothing is left", { timeout: 120_000 + 100 * RUNS }, async () => {
  const servers = await startServers();
  onTestFinished(async () => {
    for (const server of servers.values()) await server.close();
  });
  const seen = { answers: 0, failures: 0, aborted: 0, repeated: 0 };
  let run = 0;
  await assertProperty("test/model/sockets.test.ts", { usual: DEFAULT_RUNS, share: 0.01 }, (options) =>
    fc.assert(
      fc.asyncProperty(scenario, (given) => play(given, servers, `r${run++}-`, seen)),
      // A run depends on real time: what failed once may not again, and shrinking would go on for long.
      { ...options, endOnFailure: true },
    ),
  );
  console.log(`${run} runs over sockets contained`, seen);
  if (run >= DEFAULT_RUNS) for (const [what, count] of Object.entries(seen)) expect([what, count > 10]).toEqual([what, true]);
});

type Seen = Record<"answers" | "failures" | "aborted" | "repeated", number>;

async function play(given: Scenario, servers: Servers, prefix: string, seen: Seen): Promise<void> {
  for (const server of servers.values()) await wellBehaved(server);
  const world = new SocketWorld(given.settings, servers, prefix);
  try {
    for (const command of given.commands) await world.perform(command);
    await pause(50);
    for (const record of world.callers.all) world.callers.leave(record);
    await until("every call settles once its caller has left", () => world.callers.open.map(({ id }) => id));
    await until("nothing is in flight", () => inFlight(world));
  } finally {
    await world.mesh.close({ limit: 200 });
  }
  await until("no connection is left", () => [...servers].filter(([, server]) => server.connections() > 0).map(([address]) => address));
  expect(sentTwice(world, servers, seen)).toEqual([]);
  for (const { head } of world.callers.all) {
    if (head?.kind === "answer") seen.answers++;
    if (head?.kind === "error") seen.failures++;
    if (head?.kind === "aborted") seen.aborted++;
    expect(head?.kind === "error" && head.code === "" ? head.text : "").toBe("");
  }
}

function inFlight({ mesh }: SocketWorld): readonly string[] {
  const busy = mesh.inspect().backends.filter(({ inFlight: requests, pending }) => requests !== 0 || pending !== 0);
  return busy.map(({ name, inFlight: requests, pending }) => `${name}: ${requests} in flight, ${pending} pending`);
}

/** What servers received more than once, without anybody having said that this is safe. A copy for the mirror is another request. */
function sentTwice({ callers }: SocketWorld, servers: Servers, seen: Seen): readonly string[] {
  const received = new Map<string, number>();
  for (const [address, server] of servers) {
    if (address === SHADOW) continue;
    for (const { headers } of server.requests) received.set(String(headers["x-id"]), (received.get(String(headers["x-id"])) ?? 0) + 1);
  }
  return callers.all.flatMap(({ id, command, settings }) => {
    const times = received.get(id) ?? 0;
    if (times > 1) seen.repeated++;
    const consents = settings.retry !== null && settings.retry !== "off" && settings.retry.consents;
    if (times <= 1 || command.method !== "POST" || command.isIdempotent || (command.service === "reviews" && consents)) return [];
    return [`${id} (POST) was received ${times} times`];
  });
}

/** Waits for what must come. */
async function until(what: string, missing: () => readonly string[]): Promise<void> {
  for (let waited = 0; waited < WITHIN_MS && missing().length > 0; waited += 10) await pause(10);
  expect([what, missing()]).toEqual([what, []]);
}
