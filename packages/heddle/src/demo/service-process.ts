import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Inspection } from "@heddle/core";
import type { Instance } from "./instances.ts";
import { LogTail } from "./log-tail.ts";
import type { Answer, Question } from "./tether.ts";

/** What is kept of what a process wrote to stderr, to say why it died. */
const KEPT_CHARACTERS = 2_000;
/** The service whose access log is read: who asked for what, and which rule decided. */
const LOGGED = "reviews";
/** After so long without an end, a process that was asked to stop is ended. */
const STOP_LIMIT_MS = 5_000;

export interface ProcessOptions {
  readonly script: string;
  readonly config: string;
  /** What ratings speak. */
  readonly ratingsProtocol: "grpc" | "http";
  /** Where it runs: its development authority is in a folder below. */
  readonly folder: string;
  readonly clock: Clock;
  /** Called if it ends and nobody here ended it. */
  died(why: string): void;
}

/** A service in a process of its own. */
export class ServiceProcess {
  readonly instance: Instance;
  readonly pid: number | undefined;
  /** Resolves when it serves; rejects if it ends before. */
  readonly serving: Promise<void>;
  /** Of what it was asked, where it writes that down; else null. */
  readonly log: LogTail | null;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #ended: Promise<number | null>;
  readonly #questions = new Map<number, (inspection: Inspection) => void>();
  #lastQuestion = 0;
  #isWanted = true;
  #stderr = "";

  constructor(instance: Instance, { script, config, ratingsProtocol, folder, clock, died }: ProcessOptions) {
    this.instance = instance;
    this.#clock = clock;
    const isLogged = instance.service === LOGGED;
    this.#child = fork(servicePath(script), {
      cwd: folder,
      env: {
        ...process.env,
        HEDDLE_CONFIG: config,
        HEDDLE_IDENTITY: "dev",
        RATINGS_PROTOCOL: ratingsProtocol,
        ...environmentOf(instance, isLogged),
      },
      stdio: ["ignore", isLogged ? "pipe" : "ignore", "pipe", "ipc"],
    });
    this.pid = this.#child.pid;
    this.log = this.#child.stdout && new LogTail(this.#child.stdout);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_CHARACTERS);
    });
    const serving = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number | null>();
    this.serving = serving.promise;
    this.#ended = ended.promise;
    this.#child.on("message", (answer: Answer) => {
      if (answer.kind === "serving") serving.resolve();
      else this.#answered(answer.id, answer.inspection);
    });
    const end = (code: number | null, how: string) => {
      const why = `${instance.name} ${how}${this.#stderr === "" ? "" : `: ${this.#stderr.trim()}`}`;
      serving.reject(new Error(why));
      ended.resolve(code);
      if (this.#isWanted) died(why);
    };
    this.#child.on("error", (error) => end(null, `could not be started: ${error.message}`));
    this.#child.on("exit", (code, signal) => end(code, `ended unexpectedly (${signal ?? `exit code ${code}`})`));
    // Whoever starts it awaits it too; one that is stopped while it starts has nobody left to tell.
    serving.promise.catch(() => {});
  }

  /** What its mesh knows now. Never resolves if the process ends first. */
  inspect(): Promise<Inspection> {
    const id = ++this.#lastQuestion;
    return new Promise((resolve) => {
      this.#questions.set(id, resolve);
      // Where it cannot be asked it has ended, and its end is told by itself.
      this.#child.send({ kind: "inspect", id } satisfies Question, () => {});
    });
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to finish what it does and end. Resolves with its exit code, null where a signal had to end it. */
  async stop(): Promise<number | null> {
    this.#isWanted = false;
    this.#child.kill("SIGTERM");
    const timer = this.#clock.setTimer(STOP_LIMIT_MS, () => this.#child.kill("SIGKILL"));
    const code = await this.#ended;
    this.#clock.clearTimer(timer);
    return code;
  }

  #answered(id: number, inspection: Inspection): void {
    this.#questions.get(id)?.(inspection);
    this.#questions.delete(id);
  }
}

function servicePath(script: string): string {
  return fileURLToPath(new URL(`./services/${script}${extname(import.meta.url)}`, import.meta.url));
}

function environmentOf({ service, port, version, failEvery }: Instance, isLogged: boolean): Record<string, string> {
  return {
    SERVICE: service,
    PORT: String(port),
    FAIL_EVERY: String(failEvery),
    ...(version === null ? {} : { VERSION: version }),
    ...(isLogged ? { HEDDLE_ACCESS_LOG: "1" } : {}),
  };
}
