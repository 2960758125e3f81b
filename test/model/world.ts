import { Cancel, MeshError, sleep } from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import { Callers } from "./callers.ts";
import type { Command, Scenario } from "./commands.ts";
import { Configuration } from "./configuration.ts";
import { type Coverage, noCoverage } from "./coverage.ts";
import { openDoors } from "./doors.ts";
import { answerWell, script } from "./endpoint-scripts.ts";
import { Journal } from "./journal.ts";
import { ProtectedCalls } from "./protected-calls.ts";
import { BROKEN, DETAILS, documentOf, ENDPOINTS, isConsistent, type Settings, SHADOW, SPARE } from "./settings.ts";

/** The real mesh, what is done to it, and what the model remembers of that. */
export class World {
  readonly test: TestMesh;
  readonly configuration: Configuration;
  readonly journal: Journal;
  readonly callers: Callers;
  readonly protectedCalls: ProtectedCalls;
  readonly coverage: Coverage = noCoverage();
  /** What the access log was handed. */
  readonly lines: Readonly<Record<string, unknown>>[] = [];
  readonly violations: string[] = [];
  closing: { readonly at: number; readonly cutAt: number; readonly closed: Promise<void>; isClosed: boolean } | null = null;
  /** Timers of endpoints and callers, which are not the mesh's. */
  ownTimers = 0;

  constructor({ seed, settings }: Scenario) {
    this.configuration = new Configuration(settings);
    this.journal = new Journal(this.configuration, () => this.test.clock);
    this.test = testMesh({
      config: documentOf(settings),
      seed,
      layers: this.journal.layers(),
      accessLog: { logger: { info: (line) => void this.lines.push(line as Record<string, unknown>) }, requestHeaders: ["x-id"] },
    });
    this.journal.tap(this.test.transport);
    this.callers = new Callers(openDoors(this.test.mesh, this.test), this.test.clock, this.pause);
    this.protectedCalls = new ProtectedCalls(this.test, this.configuration, this.pause);
    for (const address of [...ENDPOINTS, ...DETAILS, SPARE, SHADOW]) answerWell(this.test.transport.endpoint(address).latency(5));
  }

  readonly pause = async (ms: number): Promise<void> => {
    this.ownTimers++;
    await sleep(this.test.clock, ms, new Cancel());
    this.ownTimers--;
  };

  /** Does it, and lets everything happen that takes no time. */
  async perform(command: Command): Promise<void> {
    this.#begin(command);
    await this.test.advance(command.kind === "advance" ? command.ms : 0);
  }

  get now(): number {
    return this.test.clock.now();
  }

  #begin(command: Command): void {
    switch (command.kind) {
      case "call":
        for (let call = 0; call < command.count; call++) this.callers.begin(command, this.configuration.current);
        return;
      case "protect":
        this.protectedCalls.begin(command);
        return;
      case "fault":
        this.#fault(command);
        return;
      case "edit":
        this.edit({ ...this.configuration.current, ...command.set });
        return;
      case "break":
        this.#expectRefusal((BROKEN[command.how] ?? (() => ({})))(documentOf(this.configuration.current)));
        return;
      case "same":
        this.#same();
        return;
      case "abort":
        this.#abort(command.which);
        return;
      case "read":
        this.#read(command);
        return;
      case "close":
        this.close(command.drain, command.limit);
        return;
      case "advance":
        return;
      default:
        command satisfies never;
    }
  }

  /** What is refused (a try longer than the total, say) leaves everything as it is. */
  edit(next: Settings): void {
    if (this.closing) return;
    if (!isConsistent(next)) {
      this.#expectRefusal(documentOf(next));
      return;
    }
    this.test.update(documentOf(next));
    this.#countEdit(next);
    this.configuration.apply(next, this.now);
  }

  close(drain: number, limit: number): void {
    if (this.closing) return;
    const isBusy = this.callers.open.length > 0;
    if (isBusy) this.coverage["closes under requests"]++;
    const closing = { at: this.now, cutAt: this.now + drain + limit, isClosed: false, closed: this.test.mesh.close({ drain, limit }) };
    this.closing = closing;
    closing.closed.then(
      () => {
        closing.isClosed = true;
      },
      (error: unknown) => this.violations.push(`close failed: ${error}`),
    );
  }

  #fault(command: Extract<Command, { kind: "fault" }>): void {
    const all = [...ENDPOINTS, SPARE, DETAILS[0] ?? ""];
    const addresses = command.endpoint === "all" ? ENDPOINTS : [all[command.endpoint] ?? SPARE];
    for (const address of addresses) script(this.test.transport.endpoint(address), command, this.pause);
  }

  #expectRefusal(document: object): void {
    if (this.closing) return;
    const before = this.#inForce();
    try {
      this.test.update(document);
    } catch (error) {
      this.#refused(error, before);
      return;
    }
    this.violations.push(`a broken document came into force: ${JSON.stringify(document).slice(0, 200)}`);
  }

  #refused(error: unknown, before: string): void {
    if (!(error instanceof MeshError) || error.code !== "invalid_config") this.violations.push(`an update threw ${error}`);
    if (this.#inForce() !== before) this.violations.push(`a refused document changed what is in force: ${error}`);
    this.coverage["documents refused"]++;
  }

  #same(): void {
    if (this.closing) return;
    const before = this.#inForce();
    this.test.update(documentOf(this.configuration.current));
    if (this.#inForce() !== before) this.violations.push("a document that is in force already changed something");
    this.coverage["documents that changed nothing"]++;
  }

  /** Policies and endpoints with their state: what an update that changes nothing must leave alone. */
  #inForce(): string {
    const services = ["details", ...(this.configuration.current.isPresent ? ["reviews"] : [])];
    const { virtualHosts, backends } = this.test.mesh.inspect();
    return JSON.stringify([services.map((service) => this.test.describe(service)), virtualHosts, backends]);
  }

  #countEdit(next: Settings): void {
    const { open } = this.callers;
    const { current } = this.configuration;
    if (!open.some(({ command, head }) => command.service === "reviews" && head === null)) return;
    this.coverage["edits under requests"]++;
    if ((current.endpoints & ~next.endpoints) !== 0) this.coverage["endpoints removed under requests"]++;
    if (current.isPresent && !next.isPresent) this.coverage["services removed under requests"]++;
  }

  /** A call that is not known to be over: its head, or its body, read or not. */
  #abort(which: number): void {
    const under = this.callers.all
      .filter(({ head, body, abortedAt }) => abortedAt === null && body === null && head?.kind !== "error")
      .slice(-4);
    const record = under[under.length - 1 - (which % Math.max(1, under.length))];
    if (record) this.callers.leave(record);
  }

  #read({ which, reading }: Extract<Command, { kind: "read" }>): void {
    const unread = this.callers.all.filter(({ answer, reading: read }) => answer !== null && read === "none");
    const record = unread[unread.length - 1 - (which % Math.max(1, unread.length))];
    if (record) this.callers.read(record, reading);
  }
}
