import { MESH_ERROR_CODES, type MeshErrorCode } from "@heddle/core";
import type { ReceivedRequest } from "@heddle/testing";
import type { CallRecord, Settlement } from "./callers.ts";
import { DETAILS, ENDPOINTS, SPARE } from "./settings.ts";
import type { World } from "./world.ts";

/** Deadlines are kept in whole milliseconds. */
const GRANULARITY_MS = 1;

/** For every settlement: the reason that the model knows for it, within the time that it had. */
export function explanations(world: World): readonly string[] {
  const received = receivedBy(world);
  return world.callers.all.flatMap((record) => [
    ...ofHead(world, record, received.get(record.id) ?? []),
    ...ofBody(world, record),
    ...inTime(world, record),
  ]);
}

function receivedBy({ test }: World): ReadonlyMap<string, readonly ReceivedRequest[]> {
  const received = new Map<string, ReceivedRequest[]>();
  for (const address of [...ENDPOINTS, ...DETAILS, SPARE]) {
    for (const request of test.transport.endpoint(address).requests) {
      const id = String(request.headers["x-id"]);
      received.set(id, [...(received.get(id) ?? []), request]);
    }
  }
  return received;
}

function ofHead(world: World, record: CallRecord, received: readonly ReceivedRequest[]): readonly string[] {
  const { id, head, settings } = record;
  if (!head) return [`${id} has no outcome`];
  if (head.kind === "aborted") return record.abortedAt === null ? [`${id} was aborted by nobody`] : [];
  if (head.kind === "error")
    return isExplained(world, record, head) ? [] : [`${id} failed with ${head.code || head.text}, for which there is no reason`];
  if (head.answeredBy !== "")
    return received.some(({ endpoint }) => endpoint === head.answeredBy)
      ? []
      : [`${id} was answered by ${head.answeredBy}, which it did not reach`];
  if (head.local !== "")
    return isLocal(record, head)
      ? []
      : [`${id} has an answer of the mesh that nothing asks for: ${head.status} ${head.local} ${JSON.stringify(settings)}`];
  // An endpoint that breaks after the head does not say who it is.
  return received.length > 0 && head.status === 200 ? [] : [`${id} was answered ${head.status} by nobody`];
}

function isLocal({ command, settings }: CallRecord, { status, local }: Settlement): boolean {
  if (command.service === "details") return false;
  if (local === "respond") return command.path === "/gone" && status === 410;
  if (local === "fallback") return settings.fallback === "respond" && status === 203;
  if (local === "abort") return settings.fault === "abort" && status === 503;
  return command.path === "/moved" && status === 308;
}

/** What each code needs to be possible at all. */
function isExplained({ closing, configuration }: World, record: CallRecord, { code, at }: Settlement): boolean {
  const { settings, command } = record;
  if (code === "" || !MESH_ERROR_CODES.includes(code)) return false;
  const isDetails = command.service === "details";
  const always: readonly MeshErrorCode[] = ["connect_failed", "connection_reset", "protocol_error"];
  if (always.includes(code)) return true;
  const needs: Partial<Record<MeshErrorCode, boolean>> = {
    unknown_service: !isDetails && !settings.isPresent,
    no_endpoint: !isDetails,
    attempt_timeout: !isDetails && settings.retry !== null && settings.retry !== "off" && settings.retry.perTry !== null,
    deadline_exceeded: isDetails || settings.timeout !== null || command.timeout !== null,
    breaker_open: settings.breaker !== null,
    // Limits of requests are those that it began with, limits of connections those in force.
    overloaded: settings.limits !== null || configuration.at(at).some(({ limits }) => limits !== null),
    closed: closing !== null,
    body_abandoned: true,
  };
  return needs[code] === true;
}

function ofBody(world: World, record: CallRecord): readonly string[] {
  const { id, body, reading } = record;
  if (reading === "whole" && body === null) return [`${id} was read and is not at its end`];
  if (!body || body.kind === "answer" || record.abortedAt !== null) return [];
  return isExplained(world, record, body) ? [] : [`the body of ${id} failed with ${body.code || body.text}, for which there is no reason`];
}

/** The total holds for everything that the caller waits for. */
function inTime({ closing }: World, record: CallRecord): readonly string[] {
  const { id, head, body, startedAt, settings, command } = record;
  const total = totalOf(command.service === "details" ? { total: 1_000 } : settings.isPresent ? settings.timeout : null, command.timeout);
  const late = [head, body].filter((one) => one !== null && one.at > startedAt + total + GRANULARITY_MS && !isReadLate(record, one));
  const violations = late.map((one) => `${id} settled after ${(one?.at ?? 0) - startedAt} ms, its deadline is ${total} ms`);
  const last = Math.max(head?.at ?? 0, body?.at ?? 0);
  if (closing && startedAt <= closing.cutAt && last > closing.cutAt + GRANULARITY_MS && !(body && isReadLate(record, body)))
    violations.push(`${id} settled at ${last} ms, closing was to end at ${closing.cutAt} ms`);
  return violations;
}

/** What waits in memory is there for a reader who comes late. */
function isReadLate({ command, body }: CallRecord, one: Settlement): boolean {
  return command.reading === "later" && one === body;
}

function totalOf(timeout: { readonly total: number | null } | null, own: number | null): number {
  return Math.min(timeout?.total ?? Number.POSITIVE_INFINITY, own ?? Number.POSITIVE_INFINITY);
}
