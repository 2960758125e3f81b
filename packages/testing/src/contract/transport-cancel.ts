import assert from "node:assert/strict";
import { Cancel } from "@heddle/core";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, eventually, fulfilled, gate, rejection } from "./check.ts";
import { channelCheck, type TransportHarness } from "./transport-harness.ts";

const REASON = new Error("the caller has gone");

/** Cancellation reaches an exchange at every stage, with the very reason. */
export const transportCancelChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("sends nothing for a request that is cancelled already", async (check) => {
    await check.endpoint.answer(() => ({}));
    const request = check.request();
    request.cancel.cancel(REASON);
    assert.equal(await rejection(check, check.channel.send(request), "the reason"), REASON);
    await check.pass(20);
    assert.equal(check.endpoint.requests.length, 0);
    assert.equal(request.attempt?.wasSent, false, "wasSent");
  }),
  channelCheck("rejects with the reason of a cancel in the turn of the send", async (check) => {
    await check.endpoint.answer(() => ({}));
    const request = check.request();
    const response = check.channel.send(request);
    request.cancel.cancel(REASON);
    assert.equal(await rejection(check, response, "the reason"), REASON);
  }),
  channelCheck(
    "rejects with the reason while it waits for a connection",
    async (check) => {
      await check.endpoint.admit?.(1);
      await check.endpoint.hang("head");
      const first = check.channel.send(check.request()).catch(() => undefined);
      await eventually(check, () => check.endpoint.requests.length === 1, "the first request to arrive");
      const request = check.request();
      const second = check.channel.send(request);
      await check.pass(20);
      request.cancel.cancel(REASON);
      assert.equal(await rejection(check, second, "the reason"), REASON);
      assert.equal(request.attempt?.wasSent, false, "wasSent");
      assert.equal(check.endpoint.requests.length, 1);
      check.channel.destroy(REASON);
      await first;
    },
    { maxConnections: 1 },
  ),
  channelCheck("rejects with the reason while the request body is being sent, and closes that body", async (check) => {
    await check.endpoint.answer(() => ({}));
    const never = gate();
    let isClosed = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        yield "begun";
        await never.opened;
        yield "more";
      } finally {
        isClosed = true;
      }
    }
    const request = check.request({ method: "POST", body: endless() });
    const response = check.channel.send(request);
    await eventually(check, () => request.attempt?.wasSent === true, "the request to begin");
    await check.pass(20);
    request.cancel.cancel(REASON);
    assert.equal(await rejection(check, response, "the reason"), REASON);
    never.open();
    await eventually(check, () => isClosed, "the request body to be closed");
  }),
  channelCheck("rejects with the reason while it waits for the head", async (check) => {
    await check.endpoint.hang("head");
    const request = check.request();
    const response = check.channel.send(request);
    await eventually(check, () => check.endpoint.requests.length === 1, "the request to arrive");
    request.cancel.cancel(REASON);
    assert.equal(await rejection(check, response, "the reason"), REASON);
    await eventually(check, () => check.endpoint.requests[0]?.signal.aborted === true, "the endpoint to notice");
  }),
  channelCheck("fails the body with the reason after the head", async (check) => {
    await check.endpoint.hang("body");
    const request = check.request();
    const { body } = await fulfilled(check, check.channel.send(request), "the head");
    request.cancel.cancel(REASON);
    await eventually(check, () => body.hasEnded, "the body to fail");
    assert.equal(body.error, REASON);
  }),
  channelCheck("gives up the exchange when the reader abandons the body", async (check) => {
    await check.endpoint.hang("body");
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    body.abandon(REASON);
    assert.equal(body.error, REASON);
    await eventually(check, () => check.endpoint.requests[0]?.signal.aborted === true, "the endpoint to notice");
    await check.endpoint.answer(() => ({ body: "next" }));
    const next = await fulfilled(check, check.channel.send(check.request()), "the next response");
    assert.equal(await fulfilled(check, bodyText(next.body), "its body"), "next");
  }),
  channelCheck("a cancel after the end changes nothing", async (check) => {
    await check.endpoint.answer(() => ({ body: "complete" }));
    const request = check.request();
    const { body } = await fulfilled(check, check.channel.send(request), "the head");
    await eventually(check, () => body.hasEnded, "the end");
    request.cancel.cancel(REASON);
    assert.equal(body.error, null);
    assert.equal(await fulfilled(check, bodyText(body), "the body"), "complete");
  }),
  channelCheck("leaves no listener on the cancel when an exchange is over", async (check) => {
    const cancel = new CountingCancel();
    await check.endpoint.answer(() => ({ body: "complete" }));
    const { body } = await fulfilled(check, check.channel.send(check.request({ cancel })), "the head");
    await eventually(check, () => body.hasEnded, "the end");
    await check.endpoint.reset("send");
    await rejection(check, check.channel.send(check.request({ cancel })), "a reset");
    await check.pass(20);
    assert.equal(cancel.listening, 0, "listeners left");
  }),
];

class CountingCancel extends Cancel {
  readonly #listeners = new Set<(reason: unknown) => void>();

  get listening(): number {
    return this.#listeners.size;
  }

  override onCancel(listener: (reason: unknown) => void): void {
    this.#listeners.add(listener);
    super.onCancel(listener);
  }

  override offCancel(listener: (reason: unknown) => void): void {
    this.#listeners.delete(listener);
    super.offCancel(listener);
  }
}
