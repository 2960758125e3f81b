import {
  type Attempt,
  type AttemptReport,
  type Clock,
  formatDuration,
  type MeshResponse,
  meshError,
  type RequestContext,
  reportOf,
} from "@heddle/core";
import type { TestCall } from "./test-call.ts";

/** One try, as the report has it, and when it began. */
export interface AttemptRecord extends AttemptReport {
  readonly service: string;
  /** Milliseconds of the clock. */
  readonly startedAt: number;
}

interface CallRecord {
  readonly title: string;
  readonly context: RequestContext;
  /** How it ended: a status, an error's code, or `pending`. */
  outcome: string;
  endedAt: number;
}

/** Remembers every call of a test mesh, in order, to tell what happened. */
export class CallRecords {
  readonly #clock: Clock;
  readonly #records = new Map<RequestContext, CallRecord>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A call of the mesh's own front doors. */
  begin(call: TestCall, context: RequestContext, response: Promise<MeshResponse>): void {
    const record = this.#record(context, `${call.method} ${call.url.href}`);
    response.then(
      ({ status, body }) => body.whenEnd((error) => this.#end(record, error === null ? `${status}` : `${status}, then ${nameOf(error)}`)),
      (error: unknown) => this.#end(record, nameOf(error)),
    );
  }

  /** A call seen below: it came through another front door. */
  see(context: RequestContext, title: string): void {
    if (!this.#records.has(context)) this.#record(context, title).outcome = "";
  }

  attempts(service: string | undefined): readonly AttemptRecord[] {
    const all = this.#of(service).flatMap(({ context }) => attemptsOf(context));
    return all.sort((one, other) => one.startedAt - other.startedAt);
  }

  timeline(service: string | undefined): string {
    return this.#of(service).flatMap(storyOf).join("\n");
  }

  #record(context: RequestContext, title: string): CallRecord {
    const record: CallRecord = { title, context, outcome: "pending", endedAt: context.startedAt };
    this.#records.set(context, record);
    return record;
  }

  #end(record: CallRecord, outcome: string): void {
    record.outcome = outcome;
    record.endedAt = this.#clock.now();
  }

  #of(service: string | undefined): readonly CallRecord[] {
    return [...this.#records.values()].filter(({ context }) => service === undefined || context.service === service);
  }
}

function attemptsOf(context: RequestContext): readonly AttemptRecord[] {
  const { service, attempts } = reportOf(context);
  return attempts.map((attempt, index) => ({ ...attempt, service, startedAt: (context.attempts[index] as Attempt).startedAt }));
}

function storyOf({ title, context, outcome, endedAt }: CallRecord): readonly string[] {
  const took = outcome === "pending" || outcome === "" ? outcome : `${outcome} after ${formatDuration(endedAt - context.startedAt)}`;
  const tries = attemptsOf(context).map(({ startedAt, endpoint, outcome: result, ms, why }) => {
    const ended = result === "pending" ? result : `${result} after ${formatDuration(ms)}`;
    return `  ${formatDuration(startedAt)} ${endpoint || "no endpoint"}: ${ended}${why ? `, ${why}` : ""}`;
  });
  return [`${formatDuration(context.startedAt)} ${title}${took ? `: ${took}` : ""}`, ...tries];
}

function nameOf(error: unknown): string {
  return meshError(error)?.code ?? (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
