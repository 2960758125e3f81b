import assert from "node:assert/strict";
import { MeshError } from "@heddle/core";
import { requestOf } from "../builders.ts";
import { type ContractCheck, eventually, fulfilled, rejection } from "./check.ts";
import { type ChannelCheck, type ContractEndpoint, channelCheck, type TransportHarness } from "./transport-harness.ts";

/** An endpoint that takes gRPC calls. */
export interface RpcEndpoint extends ContractEndpoint {
  /** Of each request that came: its messages. */
  readonly messages: readonly (readonly Uint8Array[])[];
}

export interface RpcHarness extends TransportHarness {
  readonly endpoint: RpcEndpoint;
}

type RpcCheck = ChannelCheck & RpcHarness;

/** What is promised of calls beside what is promised of every request. */
export const transportRpcChecks: readonly ContractCheck<RpcHarness>[] = [
  rpcCheck("an answer of trailers only has ended by the time it is there", async (check) => {
    await check.endpoint.answer(() => ({ headers: { "grpc-status": "5", "grpc-message": "no%25such", "x-more": "1" } }));
    const { status, body } = await fulfilled(check, check.channel.send(check.request()), "the answer");
    assert.equal(status, 200);
    assert.equal(body.hasEnded, true, "hasEnded");
    assert.equal(body.error, null);
    assert.equal(body.trailers?.["grpc-status"], "5");
    assert.equal(body.trailers?.["grpc-message"], "no%25such");
    assert.equal(body.trailers?.["x-more"], "1");
  }),
  rpcCheck("an answer with a head has not ended by the time it is there, however soon its status comes", async (check) => {
    await check.endpoint.answer(() => ({ headers: { "x-head": "1" }, trailers: { "grpc-status": "5" } }));
    // In the very turn of the promise: later, the status may have come.
    const sent = check.channel.send(check.request()).then(({ headers, body }) => ({ headers, body, hadEnded: body.hasEnded }));
    const { headers, body, hadEnded } = await fulfilled(check, sent, "the head");
    assert.equal(hadEnded, false, "it had ended: nobody could tell that it had a head");
    assert.equal(headers["x-head"], "1");
    await eventually(check, () => body.hasEnded, "the end");
    assert.equal(body.trailers?.["grpc-status"], "5");
  }),
  rpcCheck("gives every message as one chunk, those without bytes, too", async (check) => {
    const sent = ["one", "", "x".repeat(200_000), "", "last"];
    async function* messages(): AsyncGenerator<string> {
      yield* sent;
    }
    await check.endpoint.answer(() => ({ body: messages() }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    const lengths: number[] = [];
    body.attach({ data: (chunk) => lengths.push(chunk.length), end: () => {}, fail: () => {} });
    await eventually(check, () => body.hasEnded, "the end");
    assert.deepEqual(
      lengths,
      sent.map((message) => message.length),
    );
  }),
  rpcCheck("sends every chunk as one message, those without bytes, too", async (check) => {
    const sent = ["one", "", "x".repeat(200_000), "", "last"];
    async function* messages(): AsyncGenerator<Uint8Array> {
      for (const message of sent) yield Buffer.from(message);
    }
    await check.endpoint.answer(() => ({}));
    await ended(check, messages());
    await ended(check, null);
    await ended(check, new Uint8Array(0));
    const lengths = check.endpoint.messages.map((received) => received.map((message) => message.length));
    assert.deepEqual(lengths, [sent.map((message) => message.length), [], [0]]);
  }),
  rpcCheck("refuses a request that is no call, and sends nothing", async (check) => {
    await check.endpoint.answer(() => ({}));
    const error = await rejection(check, check.channel.send(requestOf()), "a refusal");
    assert.ok(error instanceof MeshError, `expected a MeshError, got ${error}`);
    await check.pass(20);
    assert.equal(check.endpoint.requests.length, 0);
  }),
];

function rpcCheck(name: string, run: (check: RpcCheck) => Promise<void>): ContractCheck<RpcHarness> {
  // The harness that it is given is the one that the check gets.
  return channelCheck(name, (check) => run(check as RpcCheck)) as ContractCheck<RpcHarness>;
}

async function ended(check: RpcCheck, body: AsyncIterable<Uint8Array> | Uint8Array | null): Promise<void> {
  const response = await fulfilled(check, check.channel.send(check.request({ method: "POST", body })), "the head");
  await eventually(check, () => response.body.hasEnded, "the end");
  assert.equal(response.body.trailers?.["grpc-status"], "0");
}
