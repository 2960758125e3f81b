import { meshError, type ProtectedCall } from "@heddle/core";
import type { TestMesh } from "@heddle/testing";
import { BudgetBook } from "./budget.ts";
import { CALLERS_REASON } from "./callers.ts";
import type { ProtectCommand } from "./commands.ts";
import type { Configuration } from "./configuration.ts";
import type { Pause } from "./endpoint-scripts.ts";
import type { ResourceSettings } from "./settings.ts";

export interface ProtectRecord {
  readonly id: string;
  readonly command: ProtectCommand;
  readonly startedAt: number;
  readonly db: ResourceSettings;
  readonly abort: AbortController;
  runs: number;
  /** When the run before the next one ended. */
  endedAt: number;
  outcome: string | null;
  settledAt: number;
}

const FAILURE = new Error("the resource failed");

/** Functions under the policies of `db`: their runs, and what of them may be repeated. */
export class ProtectedCalls {
  readonly all: ProtectRecord[] = [];
  readonly violations: string[] = [];
  readonly #test: TestMesh;
  readonly #configuration: Configuration;
  readonly #pause: Pause;
  readonly #book = new BudgetBook();
  #running = 0;

  constructor(test: TestMesh, configuration: Configuration, pause: Pause) {
    this.#test = test;
    this.#configuration = configuration;
    this.#pause = pause;
  }

  begin(command: ProtectCommand): void {
    const { db } = this.#configuration.current;
    const record: ProtectRecord = {
      id: `p${this.all.length}`,
      command,
      startedAt: this.#now(),
      db,
      abort: new AbortController(),
      runs: 0,
      endedAt: 0,
      outcome: null,
      settledAt: 0,
    };
    this.all.push(record);
    const options = { idempotent: true, signal: record.abort.signal, ...(command.timeout !== null && { timeout: command.timeout }) };
    this.#test
      .protect("db", (call) => this.#run(record, call), options)
      .then(
        () => this.#settle(record, "ok"),
        (error: unknown) => {
          const code = meshError(error)?.code;
          if (code === "breaker_open" && record.runs === 0) this.#deposit(record);
          this.#settle(record, code ?? (error === FAILURE ? "failed" : error === CALLERS_REASON ? "aborted" : `${error}`));
        },
      );
  }

  leaveAll(): void {
    for (const { abort, outcome } of this.all) if (outcome === null) abort.abort(CALLERS_REASON);
  }

  async #run(record: ProtectRecord, call: ProtectedCall): Promise<string> {
    this.#began(record);
    try {
      return await this.#do(record, call);
    } finally {
      this.#running--;
      record.endedAt = this.#now();
    }
  }

  async #do({ command, runs }: ProtectRecord, call: ProtectedCall): Promise<string> {
    if (command.run === "fail" || (command.run === "fail-once" && runs === 1)) throw FAILURE;
    if (command.run === "slow") await this.#pause(50);
    if (command.run === "hang") {
      await new Promise((_, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true }));
    }
    return "done";
  }

  #began(record: ProtectRecord): void {
    const { maxRequests, budget } = this.#configuration.current.db;
    this.#running++;
    record.runs++;
    if (maxRequests !== null && this.#running > maxRequests)
      this.violations.push(`${record.id}: ${this.#running} run, the limit is ${maxRequests}`);
    if (record.runs === 1) this.#deposit(record);
    // Where the budget was changed between the two runs, either may have been the one that was asked.
    else if (this.#configuration.at(record.endedAt).every(({ db }) => db.budget === budget))
      this.#book.withdraw("db", record.endedAt, budget.minPerSecond * 10, record.id);
    this.violations.push(...this.#book.takeViolations());
  }

  #deposit({ db, startedAt }: ProtectRecord): void {
    const percents = [db.budget.percent, ...this.#configuration.at(startedAt).map((settings) => settings.db.budget.percent)];
    this.#book.deposit("db", this.#now(), Math.max(...percents, this.#configuration.current.db.budget.percent));
  }

  #settle(record: ProtectRecord, outcome: string): void {
    if (record.outcome !== null) this.violations.push(`${record.id} settled twice: ${record.outcome}, ${outcome}`);
    record.outcome = outcome;
    record.settledAt = this.#now();
  }

  #now(): number {
    return this.#test.clock.now();
  }
}
