import type { CallRecord } from "./callers.ts";
import type { World } from "./world.ts";

/** How long a request was under way, as the log has it: with its body, read or not. And what the runs contained. */
export function bodyChecks(world: World): readonly string[] {
  count(world);
  const calls = new Map(world.callers.all.map((record) => [record.id, record]));
  return world.lines.flatMap((line) => {
    const id = (line.request_headers as { "x-id"?: string } | undefined)?.["x-id"] ?? "";
    const record = calls.get(id);
    return record ? tooLong(world, record, Number(line.duration_ms)) : [];
  });
}

function tooLong({ closing }: World, { id, command, settings, startedAt }: CallRecord, durationMs: number): readonly string[] {
  const route = command.service === "details" ? 1_000 : settings.timeout?.total;
  const most = Math.min(route ?? Number.POSITIVE_INFINITY, command.timeout ?? Number.POSITIVE_INFINITY);
  const violations: string[] = [];
  if (durationMs > most + 1) violations.push(`${id} was under way for ${durationMs} ms, its deadline is ${most} ms`);
  if (closing && startedAt + durationMs > closing.cutAt + 1)
    violations.push(`${id} was under way at ${startedAt + durationMs} ms, closing was to end at ${closing.cutAt} ms`);
  return violations;
}

function count({ coverage, callers, journal, protectedCalls, lines }: World): void {
  for (const { head, body, settings } of callers.all) {
    if (head?.kind === "answer") coverage.answers++;
    if (head?.code === "deadline_exceeded") coverage.deadlines++;
    if (head?.code === "breaker_open") coverage["breaker refusals"]++;
    if (head?.code === "overloaded") coverage.overloads++;
    if (body?.code === "deadline_exceeded") coverage["bodies cut by a deadline"]++;
    if (head?.local === "fallback") coverage["fallback answers"]++;
    if (head?.local === "abort") coverage["faults injected"]++;
    if (head?.local === "respond" || head?.status === 308) coverage["local answers"]++;
    if (head?.code === "no_endpoint" && settings.emptyWait !== null) coverage["waits for an endpoint"]++;
  }
  for (const { outcome, status } of lines) {
    if (outcome === "body_abandoned") coverage["bodies abandoned"]++;
    if (outcome === "cancelled") coverage[status === undefined ? "heads aborted" : "bodies aborted"]++;
  }
  for (const { context } of journal.stack.values()) {
    if (context.attempts.some(({ outcome }) => outcome === "attempt-timeout")) coverage["tries timed out"]++;
    if (context.service === "reviews" && context.attempts.at(-1)?.backend === "spare") coverage["fallback services"]++;
  }
  coverage["mirrored tries"] += journal.mirrored;
  for (const { runs } of protectedCalls.all) coverage["protected runs repeated"] += Math.max(0, runs - 1);
}
