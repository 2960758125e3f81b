import { bodyChecks } from "./body-checks.ts";
import { answerWell } from "./endpoint-scripts.ts";
import { explanations } from "./explanations.ts";
import { repetitions } from "./repetitions.ts";
import { DETAILS, ENDPOINTS, type Settings, SHADOW, SPARE } from "./settings.ts";
import type { World } from "./world.ts";

/** Nothing is in flight, nothing counted twice or not at all, and no place is held by what is over. */
export async function afterDrain(world: World): Promise<readonly string[]> {
  return [...nothingInFlight(world), ...countedOnce(world), ...(await placesAreFree(world))];
}

/** Nothing waits any more, no timer and no connection is left, and nothing is served. */
export async function afterClose(world: World): Promise<readonly string[]> {
  const { test, closing, callers, protectedCalls } = world;
  const violations: string[] = [];
  if (!closing?.isClosed) violations.push("close() has not settled");
  for (const { id } of callers.open) violations.push(`${id} waits although the mesh is closed`);
  for (const { id, outcome } of protectedCalls.all) if (outcome === null) violations.push(`${id} waits although the mesh is closed`);
  const timers = test.clock.pendingTimers - world.ownTimers;
  if (timers !== 0) violations.push(`${timers} timers are left after close`);
  for (const address of [...ENDPOINTS, ...DETAILS, SPARE, SHADOW]) {
    const { opened, closed } = test.transport.endpoint(address).connections;
    if (opened !== closed) violations.push(`${address}: ${opened} connections opened, ${closed} closed`);
  }
  const failure = await test.request("http://details/").then(
    ({ status }) => `${status}`,
    (error: { code?: string }) => error.code,
  );
  if (failure !== "closed") violations.push(`a request to a closed mesh: ${failure}`);
  return [...violations, ...nothingInFlight(world), ...countedOnce(world)];
}

/** What must hold of all that happened. */
export function history(world: World): readonly string[] {
  return [...explanations(world), ...repetitions(world), ...bodyChecks(world)];
}

function nothingInFlight({ test }: World): readonly string[] {
  const { backends, resources } = test.mesh.inspect();
  const busy = [...backends, ...resources].filter(({ inFlight, pending }) => inFlight !== 0 || pending !== 0);
  return busy.map(({ name, inFlight, pending }) => `${name}: ${inFlight} in flight and ${pending} pending when all is over`);
}

/** One settlement, one line of the log and one count for each request that reached the stack. */
function countedOnce({ test, journal, lines }: World): readonly string[] {
  const violations: string[] = [];
  const logged = new Map<string, number>();
  for (const line of lines) {
    const id = (line.request_headers as { "x-id"?: string } | undefined)?.["x-id"] ?? "none";
    logged.set(id, (logged.get(id) ?? 0) + 1);
  }
  const stack = [...journal.stack.values()];
  for (const { id, outcomes } of stack) {
    if (outcomes.length !== 1) violations.push(`${id} left the stack ${outcomes.length} times: ${outcomes.join(", ")}`);
    if (id !== "undefined" && logged.get(id) !== 1) violations.push(`${id} has ${logged.get(id) ?? 0} lines in the access log`);
  }
  const { counters } = test.mesh.inspect();
  const counted = counters.filter(({ direction, service }) => direction === "outbound" && !service.startsWith("mirror:"));
  const count = counted.reduce((sum, counter) => sum + counter.count, 0);
  if (count !== stack.length) violations.push(`${count} requests are counted, ${stack.length} were made`);
  if (lines.length !== stack.length) violations.push(`${lines.length} requests are logged, ${stack.length} were made`);
  return violations;
}

/** One place for each backend and no queue: a request still gets through, so no earlier one holds a place. */
async function placesAreFree(world: World): Promise<readonly string[]> {
  const { test, configuration } = world;
  const violations: string[] = [];
  for (const address of [...ENDPOINTS, ...DETAILS, SPARE]) answerWell(test.transport.endpoint(address).restore());
  for (const isSplit of [false, true]) {
    world.edit({ ...plain(configuration.current), isSplit });
    // A split asks one of two subsets, by chance.
    for (let round = 0; round < (isSplit ? 4 : 1); round++) {
      const outcome = test.request("http://reviews/").then(
        (reply) => reply.text().then(() => `${reply.status}`),
        (error: { code?: string }) => error.code ?? `${error}`,
      );
      await test.advance(20);
      const ended = await outcome;
      if (ended !== "200") violations.push(`with places for one request, one was refused: ${ended}`);
    }
  }
  return violations;
}

function plain(settings: Settings): Settings {
  return {
    ...settings,
    isPresent: true,
    endpoints: 2 ** ENDPOINTS.length - 1,
    labels: 0b00110,
    limits: { maxConnections: 1, maxPending: 1, maxRequests: 1 },
    timeout: null,
    retry: null,
    breaker: null,
    outlier: null,
    emptyWait: null,
    fault: null,
    isMirrored: false,
    fallback: null,
  };
}
