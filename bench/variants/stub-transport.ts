import { type BodySink, type Handler, type MeshResponse, PushBody, type Transport } from "@heddle/core";
import type { ServerCounts } from "../protocol.ts";
import { ANSWER, expectAnswer } from "../variant.ts";

/** Endpoints that exist only as addresses. */
export const STUB_ADDRESSES: readonly string[] = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];

export const FLAKY_STUB = "127.0.0.1:1";

const HEADERS = { "content-type": "application/json", "content-length": String(ANSWER.length) };

interface StubCount {
  requests: number;
  unsampled: number;
}

/** What every stub variant ends in: an answer at once, complete from the start. Its probes are those of server.ts. */
export function stubSend(count: StubCount, isFaulty: boolean): Handler {
  return (request) => {
    const traceparent = request.headers.traceparent;
    count.requests++;
    if (typeof traceparent === "string" && traceparent.endsWith("-00")) count.unsampled++;
    if (request.attempt) request.attempt.wasSent = true;
    if (request.path === "/probe/hang") return new Promise((_, reject) => request.cancel.onCancel(reject));
    const status = request.path === "/probe/broken" ? 500 : isFaulty && request.path === "/probe/flaky" ? 503 : 200;
    return Promise.resolve({ status, headers: HEADERS, body: PushBody.of(ANSWER) });
  };
}

export interface StubTransport extends Transport {
  counts(): ServerCounts;
}

export function stubTransport(): StubTransport {
  const counts: Record<string, StubCount> = {};
  return {
    open({ address }) {
      const count = { requests: 0, unsampled: 0 };
      counts[address] = count;
      return { send: stubSend(count, address === FLAKY_STUB), connections: () => 0, close: async () => {}, destroy() {} };
    },
    counts: () =>
      Object.fromEntries(Object.entries(counts).map(([address, count]) => [address, { ...count, connections: 0, verified: 0 }])),
  };
}

class ByteCounter implements BodySink {
  bytes = 0;
  data(chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
  end(): void {}
  fail(error: unknown): void {
    throw error;
  }
}

/** Reads a body that is already complete. */
export function readStub(response: MeshResponse): void {
  const counter = new ByteCounter();
  response.body.attach(counter);
  expectAnswer(response.status, counter.bytes);
}
