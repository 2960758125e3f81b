import { type Clock, type MeshErrorCode, meshError } from "@heddle/core";
import type { CallCommand, Reading } from "./commands.ts";
import type { Answer, Body, Doors } from "./doors.ts";
import type { Pause } from "./endpoint-scripts.ts";
import { ANSWERED_BY } from "./endpoint-scripts.ts";
import type { Settings } from "./settings.ts";

/** How a promise of the caller's settled. `aborted`: with the reason that the caller gave. */
export interface Settlement {
  readonly at: number;
  readonly kind: "answer" | "error" | "aborted";
  readonly status: number;
  readonly answeredBy: string;
  readonly local: string;
  readonly code: MeshErrorCode | "";
  readonly text: string;
}

/** One call from the caller's side. */
export interface CallRecord {
  readonly id: string;
  readonly command: CallCommand;
  readonly startedAt: number;
  readonly settings: Settings;
  readonly abort: AbortController;
  answer: Answer | null;
  head: Settlement | null;
  reading: Reading | "none";
  body: Settlement | null;
  abortedAt: number | null;
}

export const CALLERS_REASON: Error = new Error("the caller left");
const KIB32 = Buffer.alloc(32 * 1024, "c");

/** Makes calls, keeps what came of them. */
export class Callers {
  readonly all: CallRecord[] = [];
  readonly #doors: Doors;
  readonly #clock: Clock;
  readonly #pause: Pause;
  readonly #prefix: string;

  constructor(doors: Doors, clock: Clock, pause: Pause, prefix = "c") {
    this.#prefix = prefix;
    this.#doors = doors;
    this.#clock = clock;
    this.#pause = pause;
  }

  begin(command: CallCommand, settings: Settings): CallRecord {
    const record: CallRecord = {
      id: `${this.#prefix}${this.all.length}`,
      command,
      startedAt: this.#clock.now(),
      settings,
      abort: new AbortController(),
      answer: null,
      head: null,
      reading: "none",
      body: null,
      abortedAt: null,
    };
    this.all.push(record);
    const sending = {
      id: record.id,
      body: command.method === "GET" ? null : bodyOf(command.body, this.#pause),
      signal: record.abort.signal,
      options: {
        ...(command.timeout !== null && { timeout: command.timeout }),
        ...(command.isIdempotent && { idempotent: true }),
        ...(!command.mayRetry && { retry: false as const }),
      },
    };
    this.#doors[command.door](command, sending).then(
      (answer) => {
        record.answer = answer;
        record.head = this.#answered(answer);
        if (command.reading !== "later") this.read(record, command.reading);
      },
      (error: unknown) => {
        record.head = this.#failed(error);
      },
    );
    return record;
  }

  /** Reads an answer that nobody has read; null where there is nothing to be read. */
  read(record: CallRecord, reading: Reading): void {
    const { answer } = record;
    if (!answer || record.reading !== "none" || reading === "later") return;
    record.reading = reading;
    if (reading === "discard") answer.discard();
    if (reading !== "whole" && reading !== "part") return;
    const read = reading === "whole" ? answer.whole() : answer.part();
    read.then(
      () => {
        record.body = this.#answered(answer);
      },
      (error: unknown) => {
        record.body = this.#failed(error);
      },
    );
  }

  /** Calls that still wait for something. */
  get open(): readonly CallRecord[] {
    return this.all.filter(({ head, reading, body }) => head === null || ((reading === "whole" || reading === "part") && body === null));
  }

  leave(record: CallRecord): void {
    if (record.abort.signal.aborted) return;
    record.abortedAt = this.#clock.now();
    record.abort.abort(CALLERS_REASON);
  }

  #answered(answer: Answer): Settlement {
    const { status } = answer;
    const local = answer.header("x-local") ?? answer.header("x-heddle-fault") ?? answer.header("location") ?? "";
    return { at: this.#clock.now(), kind: "answer", status, answeredBy: answer.header(ANSWERED_BY) ?? "", local, code: "", text: "" };
  }

  #failed(error: unknown): Settlement {
    const failure = meshError(error);
    const kind = failure === undefined && isCallers(error) ? "aborted" : "error";
    return { at: this.#clock.now(), kind, status: 0, answeredBy: "", local: "", code: failure?.code ?? "", text: textOf(error) };
  }
}

function isCallers(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) if (current === CALLERS_REASON) return true;
  return false;
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function bodyOf(kind: CallCommand["body"], pause: Pause): Body {
  switch (kind) {
    case "none":
      return null;
    case "text":
      return "a body";
    case "stream":
      return chunks([Buffer.from("first"), Buffer.from("second")], 0, pause);
    case "slow":
      return chunks([Buffer.from("first"), Buffer.from("second"), Buffer.from("third")], 15, pause);
    case "big":
      return chunks([KIB32, KIB32, KIB32], 0, pause);
    default:
      return kind satisfies never;
  }
}

async function* chunks(parts: readonly Uint8Array[], gapMs: number, pause: Pause): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (gapMs > 0) await pause(gapMs);
    yield part;
  }
}
