import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** A program of others that serves on loopback. */
export interface Peer extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly address: string;
}

/** What curl saw. */
export interface CurlAnswer {
  readonly status: number;
  readonly httpVersion: string;
  /** Connections that were opened for it; 0: it went over one that was there. */
  readonly connections: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

/** Throws with what to install where a program is missing. */
export function requireProgram(command: string, aptPackage: string): void {
  const { error } = spawnSync(command, ["--version"], { stdio: "ignore" });
  if (error) throw new Error(`${command} is missing, and test:interop does not skip: apt-get install ${aptPackage}`, { cause: error });
}

/** Python's own web server over the files of a folder. */
export async function pythonFileServer(folder: string): Promise<Peer> {
  requireProgram("python3", "python3");
  const child = spawn("python3", ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, "0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const port = await firstMatch(child, /port (\d+)/);
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (!child.stdout) throw new Error("the peer has no output to read");
  for await (const line of createInterface({ input: child.stdout })) {
    const match = pattern.exec(line);
    if (match?.[1] !== undefined) return match[1];
  }
  throw new Error(`the peer ended (exit code ${child.exitCode}) before it said ${pattern}`);
}

const SEPARATOR = "\u001e";
const FACTS = `%{stderr}${SEPARATOR}{"status":%{http_code},"httpVersion":"%{http_version}","connections":%{num_connects},"headers":%{header_json}}`;

/** Runs curl, which must succeed, with a limit of 20 s. Options and URLs as on its command line; the facts are those of the last URL. */
export async function curl(...args: readonly string[]): Promise<CurlAnswer> {
  requireProgram("curl", "curl");
  const { stdout, stderr } = await promisify(execFile)("curl", ["-sS", "--max-time", "20", "--write-out", FACTS, ...args]);
  const facts = JSON.parse(stderr.slice(stderr.lastIndexOf(SEPARATOR) + 1)) as Omit<CurlAnswer, "body">;
  return { ...facts, body: stdout };
}
