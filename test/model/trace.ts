import type { World } from "./world.ts";

/** Everything that can be seen from outside, as text: the same scenario must give the same, byte for byte. */
export function traceOf(world: World): readonly string[] {
  const { test, callers, protectedCalls, lines } = world;
  return [
    ...test.timeline().split("\n"),
    ...test.attempts().map((attempt) => JSON.stringify(attempt)),
    ...lines.map((line) => JSON.stringify(line)),
    ...callers.all.map(({ id, head, body }) => JSON.stringify({ id, head, body })),
    ...protectedCalls.all.map(({ id, runs, outcome, settledAt }) => JSON.stringify({ id, runs, outcome, settledAt })),
    ...test.problems.map((problem) => JSON.stringify(problem)),
    JSON.stringify(test.mesh.inspect()),
  ];
}
