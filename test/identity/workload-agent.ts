import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";

type Stream = ServerWritableStream<Buffer, Buffer>;
type Where = "unix" | "tcp";

const identity = (bytes: Buffer) => bytes;

/** A server of the Workload API in the test's hands, over grpc-js and real sockets. It may be stopped and started again at its address. */
export interface WorkloadAgent extends AsyncDisposable {
  readonly address: string;
  /** How many streams are open, and how many were. */
  readonly open: number;
  readonly calls: number;
  /** Sends it on every open stream, and on each that is opened from now on as its first message. */
  send(message: Uint8Array): void;
  /** Ends every open stream with this, and each that is opened from now on, until something is sent. */
  refuse(code: status, details: string): void;
  /** Ends every open stream, after what was sent last; others stay possible. */
  endStreams(code?: status): void;
  /** As a crash: connections are cut, the address is nobody's. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function workloadAgent(where: Where): Promise<WorkloadAgent> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-agent-"));
  const path = join(folder, "agent.sock");
  const agent = new Agent(where === "unix" ? `unix:${path}` : "127.0.0.1:0");
  await agent.start();
  return {
    get address() {
      return where === "unix" ? `unix://${path}` : `tcp://127.0.0.1:${agent.port}`;
    },
    get open() {
      return agent.streams.size;
    },
    get calls() {
      return agent.calls;
    },
    send: (message) => agent.send(Buffer.from(message)),
    refuse: (code, details) => agent.refuse(code, details),
    endStreams: (code) => agent.endStreams(code),
    stop: () => agent.stop(),
    start: () => agent.start(),
    async [Symbol.asyncDispose]() {
      await agent.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

class Agent {
  readonly streams = new Set<Stream>();
  calls = 0;
  port = 0;
  #bound: string;
  #server: Server | null = null;
  #message: Buffer | null = null;
  #refusal: { readonly code: status; readonly details: string } | null = null;

  constructor(bound: string) {
    this.#bound = bound;
  }

  async start(): Promise<void> {
    if (this.#server !== null) return;
    const server = new Server();
    const path = "/SpiffeWorkloadAPI/FetchX509SVID";
    const coding = { requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity };
    server.addService(
      { FetchX509SVID: { path, requestStream: false, responseStream: true, ...coding } },
      { FetchX509SVID: (stream: Stream) => this.#serve(stream) },
    );
    // A path that a stopped server left behind.
    if (this.#bound.startsWith("unix:")) rmSync(this.#bound.slice("unix:".length), { force: true });
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(this.#bound, ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
    });
    if (!this.#bound.startsWith("unix:")) this.#bound = `127.0.0.1:${this.port}`;
    this.#server = server;
  }

  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = null;
    this.streams.clear();
  }

  send(message: Buffer): void {
    this.#message = message;
    this.#refusal = null;
    for (const stream of this.streams) stream.write(message);
  }

  refuse(code: status, details: string): void {
    this.#refusal = { code, details };
    for (const stream of this.streams) stream.emit("error", this.#refusal);
  }

  endStreams(code?: status): void {
    for (const stream of this.streams) {
      if (code === undefined) stream.end();
      else stream.emit("error", { code, details: "ended by the test" });
    }
  }

  #serve(stream: Stream): void {
    this.calls++;
    // As Workload Endpoint section 3 demands of servers.
    if (stream.metadata.get("workload.spiffe.io").join() !== "true" || stream.request.length > 0) {
      stream.emit("error", { code: status.INVALID_ARGUMENT, details: "security header missing from request" });
      return;
    }
    if (this.#refusal !== null) {
      stream.emit("error", this.#refusal);
      return;
    }
    this.streams.add(stream);
    for (const event of ["cancelled", "close", "finish", "error"]) stream.on(event, () => this.streams.delete(stream));
    if (this.#message !== null) stream.write(this.#message);
  }
}
