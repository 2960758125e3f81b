import { EventEmitter } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import type { MeshResponse } from "@heddle/core";
import { rpcRequestOf } from "@heddle/testing";
import { expect, test } from "vitest";
import { GrpcExchange } from "./grpc-exchange.ts";
import type { GrpcJsCall } from "./grpc-js-transport.ts";

const HEAD = { ":status": 200, "content-type": "application/grpc" };

function begin(): { readonly exchange: GrpcExchange; readonly stream: EventEmitter; readonly answer: Promise<MeshResponse> } {
  const { promise, resolve, reject } = Promise.withResolvers<MeshResponse>();
  const owner = { isOver: () => undefined, wasGivenUp: () => undefined };
  const exchange = new GrpcExchange(rpcRequestOf(), owner, { resolve, reject });
  const stream = new EventEmitter();
  const call = { startRead() {}, send() {}, halfClose() {}, cancel() {} };
  exchange.prepareFor({ number: 1, exchanges: 0, bytesRead: 0, brokenBy: null }, -1);
  exchange.startedOn(call as unknown as GrpcJsCall, stream as unknown as ClientHttp2Stream);
  return { exchange, stream, answer: promise };
}

test("a status in the very turn of the head ends the body only when whoever waits for the head has seen it", async () => {
  const { exchange, stream, answer } = begin();
  stream.emit("response", HEAD, 0);
  exchange.onReceiveMetadata();
  stream.emit("trailers", { "grpc-status": "14" });
  exchange.onReceiveStatus({ code: 14, details: "" });
  const { body } = await answer;
  expect(body.hasEnded).toBe(false);
  await new Promise((resolve) => body.whenEnd(resolve));
  expect(body.trailers?.["grpc-status"]).toBe("14");
});

test("a status without a head has ended the body by the time the answer is there", async () => {
  const { exchange, stream, answer } = begin();
  stream.emit("response", { ...HEAD, "grpc-status": "14" }, 1);
  exchange.onReceiveStatus({ code: 14, details: "" });
  const { body } = await answer;
  expect([body.hasEnded, body.trailers?.["grpc-status"]]).toEqual([true, "14"]);
});
