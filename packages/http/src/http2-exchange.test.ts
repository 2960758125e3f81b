import type { ClientHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import type { MeshResponse } from "@heddle/core";
import { requestOf } from "@heddle/testing";
import { expect, test } from "vitest";
import { Http2Exchange } from "./http2-exchange.ts";
import { Http2Session } from "./http2-session.ts";
import { readText } from "./read-body.ts";

/** As much of a stream of node:http2 as an exchange sees. */
class FakeStream extends Duplex {
  readonly id = 1;
  rstCode = 0;

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  close(code: number): void {
    this.rstCode = code;
  }
}

test("data that is there before the head was told is not lost", async () => {
  const stream = new FakeStream();
  const settings = { address: "127.0.0.1:1", protocol: "http2", tls: null, maxConnections: 1, connectTimeoutMs: 1_000 } as const;
  const session = new Http2Session(settings, { hasRoom: () => {}, isLost: () => {} });
  const response = new Promise<MeshResponse>((resolve, reject) => {
    const exchange = new Http2Exchange(requestOf(), { forget: () => {} }, { resolve, reject });
    exchange.carriedBy(session, stream as unknown as ClientHttp2Stream);
  });
  stream.end();
  await new Promise(setImmediate);
  // As Node does over TLS, where both come in one call: the head waits for the next tick, data does not.
  process.nextTick(() => stream.emit("response", { ":status": 200 }));
  stream.push("whole");
  stream.push(null);
  expect(await readText((await response).body)).toBe("whole");
});
