import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { processCpuMicros } from "./process-cpu.ts";

/** Every process this run has started and that has not ended yet. */
const running = new Set<Child<never, { readonly kind: string }>>();

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** A process of its own that answers each order once. */
export class Child<Order, Answer extends { readonly kind: string }> {
  readonly name: string;
  readonly #process: ChildProcess;
  #waiting: Waiting<Answer> | null = null;
  #failure: Error | null = null;
  readonly #exited: Promise<void>;

  private constructor(name: string, script: string, args: readonly string[]) {
    this.name = name;
    this.#process = fork(fileURLToPath(new URL(script, import.meta.url)), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    running.add(this as never);
    this.#process.on("message", (answer) => this.#receive(answer as Answer));
    this.#process.on("error", (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#process.on("exit", (code, signal) => {
        running.delete(this as never);
        this.#fail(new Error(`${this.name} ended unexpectedly (${signal ?? `exit ${code}`})`));
        resolve();
      });
    });
  }

  /** Starts a script of this folder and waits for its first word. */
  static async start<Order, Answer extends { readonly kind: string }>(
    name: string,
    script: string,
    args: readonly string[],
    patienceMs: number,
  ): Promise<{ readonly child: Child<Order, Answer>; readonly first: Answer }> {
    const child = new Child<Order, Answer>(name, script, args);
    return { child, first: await child.#next(patienceMs) };
  }

  /** User and system time of its process so far. */
  cpuMicros(): number {
    return this.#process.pid === undefined ? 0 : processCpuMicros(this.#process.pid);
  }

  /** Sends an order and waits for its answer. Rejects if the child fails, ends, or says nothing for `patienceMs`. */
  ask(order: Order, patienceMs: number): Promise<Answer> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#process.send(order as object);
    return this.#next(patienceMs);
  }

  /** Lets the child go: its order to close, if any, then SIGKILL if it is still there after two seconds. */
  async stop(order: Order | null): Promise<void> {
    if (this.#process.connected) {
      if (order === null) this.#process.disconnect();
      else this.#process.send(order as object);
    }
    const kill = setTimeout(() => this.kill(), 2_000);
    await this.#exited;
    clearTimeout(kill);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #next(patienceMs: number): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`${this.name} gave no answer for ${patienceMs} ms`));
      }, patienceMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting = null;
      };
      this.#waiting = {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      if (this.#failure) this.#waiting.reject(this.#failure);
    });
  }

  #receive(answer: Answer): void {
    if (answer.kind === "failed") this.#fail(new Error(`${this.name}: ${(answer as Answer & { error: string }).error}`));
    else this.#waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(error);
  }
}

/** Ends every process this run has started, at once. */
export function killAll(): void {
  for (const child of running) child.kill();
}
