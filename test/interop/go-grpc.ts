import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { goCommand } from "./go-command.ts";

const SOURCE = fileURLToPath(new URL("./go-grpc-peer/", import.meta.url));

/** The first build compiles grpc-go. */
export const BUILD_MS = 400_000;

/** Chain, key and roots, as PEM: the peer speaks mutual TLS. */
export interface PeerIdentity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** A call for grpc-go's client to make, of `heddle.test.Peer`. */
export interface GoCall {
  readonly target: string;
  readonly method: "Unary" | "Collect" | "Expand" | "Chat" | "Unknown";
  readonly metadata?: Readonly<Record<string, string>>;
  /** Sent in turn; for Chat each waits for its echo. */
  readonly messages?: readonly string[];
  /** Sent after those, as Expand sends them. */
  readonly pattern?: { readonly count: number; readonly size: number };
  readonly timeoutMs?: number;
  /** The caller leaves after so many messages. */
  readonly cancelAfter?: number;
  readonly compressor?: "gzip";
  readonly waitForReady?: boolean;
}

/** What grpc-go's client saw. */
export interface GoAnswer {
  /** As grpc-go names it: `OK`, `PermissionDenied`. */
  readonly code: string;
  readonly details: string;
  readonly headers: Readonly<Record<string, readonly string[]>> | null;
  readonly trailers: Readonly<Record<string, readonly string[]>> | null;
  readonly messages: readonly string[];
  readonly count: number;
  readonly bytes: number;
  readonly sha256: string;
  /** The SPIFFE ID that the server proved. */
  readonly peer: string;
}

export interface GoServer extends AsyncDisposable {
  readonly address: string;
  /** How calls ended that did not end well, as the server saw it. */
  readonly endings: readonly { readonly ended: string; readonly because: string }[];
  stopGracefully(): void;
  /** As if its machine were gone. */
  kill(): Promise<void>;
}

export interface GoClient extends AsyncDisposable {
  call(call: GoCall): Promise<GoAnswer>;
}

/** The program in test/interop/go-grpc-peer, built. */
export class GoPeer implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-go-grpc-"));
  readonly #program = join(this.#folder, "peer");
  #files = 0;

  /** Throws with what to install where there is no Go. */
  constructor() {
    execFileSync(goCommand(), ["build", "-o", this.#program, "."], {
      cwd: SOURCE,
      stdio: ["ignore", "ignore", "inherit"],
      timeout: BUILD_MS,
    });
  }

  /** `listen`: the address of one that was killed, to take its place. */
  async server(identity?: PeerIdentity, listen = "127.0.0.1:0"): Promise<GoServer> {
    const child = this.#start("server", identity, ["-listen", listen]);
    const lines = jsonLines(child);
    const { address } = (await next(lines)) as { address: string };
    const endings: { ended: string; because: string }[] = [];
    const seen = (async () => {
      for await (const line of lines) endings.push(line as { ended: string; because: string });
    })();
    const kill = async () => {
      await end(child);
      await seen;
    };
    return {
      address,
      endings,
      stopGracefully: () => void child.stdin?.write(`${JSON.stringify({ stop: "gracefully" })}\n`),
      kill,
      [Symbol.asyncDispose]: kill,
    };
  }

  async client(identity?: PeerIdentity): Promise<GoClient> {
    const child = this.#start("client", identity);
    const lines = jsonLines(child);
    await next(lines);
    const waiting = new Map<string, (answer: GoAnswer) => void>();
    const read = (async () => {
      for await (const line of lines) {
        const { id, ...answer } = line as GoAnswer & { id: string };
        waiting.get(id)?.(answer);
        waiting.delete(id);
      }
    })();
    let calls = 0;
    return {
      call: (call) =>
        new Promise((resolve) => {
          const id = String(++calls);
          waiting.set(id, resolve);
          child.stdin?.write(`${JSON.stringify({ id, ...call })}\n`);
        }),
      async [Symbol.asyncDispose]() {
        await end(child);
        await read;
      },
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(role: "server" | "client", identity: PeerIdentity | undefined, given: readonly string[] = []): ChildProcess {
    const options = [...given];
    if (identity) {
      const name = join(this.#folder, String(++this.#files));
      for (const part of ["cert", "key", "ca"] as const) {
        writeFileSync(`${name}.${part}`, identity[part], { mode: 0o600 });
        options.push(`-${part}`, `${name}.${part}`);
      }
    }
    return spawn(this.#program, [...options, role], { stdio: ["pipe", "pipe", "inherit"] });
  }
}

async function* jsonLines(child: ChildProcess): AsyncGenerator<unknown, void, undefined> {
  if (!child.stdout) throw new Error("the peer has no output to read");
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
}

async function next(lines: AsyncGenerator<unknown, void, undefined>): Promise<unknown> {
  const { value, done } = await lines.next();
  if (done) throw new Error("the peer ended before it said that it is ready");
  return value;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
