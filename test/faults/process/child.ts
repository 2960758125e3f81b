import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Of node: `--expose-gc`. */
  readonly flags?: readonly string[];
  /** Most file descriptors it may have. Default: the system's. */
  readonly openFiles?: number;
}

/** A script of this folder in a process of its own, on the built packages. It talks in messages, and ends with its test. */
export class Child {
  readonly #process: ChildProcess;
  readonly #told: unknown[] = [];
  #waiting: ((message: unknown) => void) | null = null;
  readonly #exit: Promise<number | null>;
  #stderr = "";

  constructor(script: string, { args = [], flags = [], openFiles }: ChildOptions = {}) {
    const node = [process.execPath, ...flags, fileURLToPath(new URL(script, import.meta.url)), ...args];
    const limited = openFiles === undefined ? node : ["/bin/sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", ...node];
    const [command = "", ...rest] = limited;
    this.#process = spawn(command, rest, { stdio: ["ignore", "inherit", "pipe", "ipc"] });
    this.#exit = once(this.#process, "exit").then(([code]) => code as number | null);
    this.#process.stderr?.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.#process.on("message", (message) => {
      if (this.#waiting) this.#waiting(message);
      else this.#told.push(message);
    });
    onTestFinished(() => void this.#process.kill("SIGKILL"));
  }

  /** What it tells next; rejects with what it wrote on stderr if it ends before. */
  async next<T>(): Promise<T> {
    if (this.#told.length > 0) return this.#told.shift() as T;
    const told = new Promise<unknown>((resolve) => {
      this.#waiting = resolve;
    });
    const ended: Promise<never> = this.#exit.then((code) => {
      throw new Error(`the child ended with ${code}: ${this.#stderr}`);
    });
    const message = await Promise.race([told, ended]);
    this.#waiting = null;
    return message as T;
  }

  send(message: object): void {
    this.#process.send(message);
  }

  ask<T>(message: object): Promise<T> {
    const answer = this.next<T>();
    this.send(message);
    return answer;
  }

  /** How it ended. */
  ended(): Promise<number | null> {
    return this.#exit;
  }
}
