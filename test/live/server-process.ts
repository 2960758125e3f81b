import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Counts {
  readonly kind: "counts";
  /** Connections that began, and that ended. */
  readonly opened: number;
  readonly closed: number;
  readonly requests: number;
}

export interface ToServer {
  readonly kind: "counts";
}

export type FromServer = Counts | { readonly kind: "listening"; readonly port: number };

const SCRIPTS = {
  http: fileURLToPath(new URL("./server.ts", import.meta.url)),
  grpc: fileURLToPath(new URL("./grpc-server.ts", import.meta.url)),
};

export type ServedProtocol = keyof typeof SCRIPTS;

/** A server of `server.ts` or `grpc-server.ts` as its test sees it. */
export class ServerProcess implements Disposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Resolves when it listens, on the given port or on any free one. */
  static async start(port = 0, protocol: ServedProtocol = "http"): Promise<ServerProcess> {
    const child = fork(SCRIPTS[protocol], [String(port)], { execArgv: [] });
    const failed = once(child, "exit").then(([code]) => {
      throw new Error(`a server ended while it started (exit code ${code})`);
    });
    const [message] = (await Promise.race([once(child, "message"), failed])) as [FromServer];
    failed.catch(() => {});
    if (message.kind !== "listening") throw new Error(`a server began with ${message.kind}`);
    return new ServerProcess(child, message.port);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async counts(): Promise<Counts> {
    this.#child.send({ kind: "counts" } satisfies ToServer);
    const [message] = (await once(this.#child, "message")) as [FromServer];
    if (message.kind !== "counts") throw new Error(`asked for counts, was told ${message.kind}`);
    return message;
  }

  /** As a crash: its connections are reset, its port refuses. */
  async kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
