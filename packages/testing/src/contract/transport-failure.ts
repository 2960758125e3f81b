import assert from "node:assert/strict";
import { type MeshRequest, type PushBody, TransportFailure, type TransportFailureKind } from "@heddle/core";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, eventually, fulfilled, rejection } from "./check.ts";
import { type ChannelCheck, channelCheck, type TransportHarness } from "./transport-harness.ts";

/** How exchanges break, and what the mesh may conclude from it. */
export const transportFailureChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("a refused connection is a connect-failure, and nothing was sent", async (check) => {
    await check.endpoint.refuse();
    const request = check.request();
    await fails(check, request, "connect-failure");
    assert.equal(request.attempt?.wasSent, false, "wasSent, though there was no connection");
    assert.equal(check.channel.connections(), 0);
  }),
  channelCheck("connects again after the endpoint has come back", async (check) => {
    await check.endpoint.refuse();
    await fails(check, check.request(), "connect-failure");
    await check.endpoint.answer(() => ({ body: "back" }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "a response");
    assert.equal(await fulfilled(check, bodyText(body), "the body"), "back");
  }),
  channelCheck("a connection that breaks before the head is a reset, and the request was sent", async (check) => {
    await check.endpoint.reset("send");
    const request = check.request({ method: "POST", body: "content" });
    await fails(check, request, "reset");
    assert.equal(request.attempt?.wasSent, true, "wasSent");
  }),
  channelCheck("the request is marked as sent when it was answered", async (check) => {
    await check.endpoint.answer(() => ({}));
    const request = check.request();
    await fulfilled(check, check.channel.send(request), "a response");
    assert.equal(request.attempt?.wasSent, true, "wasSent");
  }),
  ...(["head", "body"] as const).map((stage) =>
    channelCheck(`a connection that breaks after the ${stage} fails the body with a reset`, async (check) => {
      await check.endpoint.reset(stage);
      const { status, body } = await fulfilled(check, check.channel.send(check.request()), "the head");
      assert.equal(status, 200);
      assertFailure(await bodyFailure(check, body), "reset");
    }),
  ),
  channelCheck("a request after a broken one gets a new connection", async (check) => {
    await check.endpoint.reset("send");
    const broken = check.request();
    await fails(check, broken, "reset");
    await check.endpoint.answer(() => ({ body: "new" }));
    const request = check.request();
    const { body } = await fulfilled(check, check.channel.send(request), "a response");
    assert.equal(await fulfilled(check, bodyText(body), "the body"), "new");
    assert.equal(request.attempt?.reusedConnection, false, "reusedConnection");
    const [before, after] = [broken, request].map(({ attempt }) => attempt?.connection ?? 0) as [number, number];
    assert.ok(after > before && before > 0, `connection: ${before}, then ${after}; a later one has a higher number`);
  }),
  channelCheck("an answer that is not the protocol is a protocol-error", async (check) => {
    await check.endpoint.garbage();
    await fails(check, check.request(), "protocol-error");
  }),
];

async function fails(check: ChannelCheck, request: MeshRequest, kind: TransportFailureKind): Promise<void> {
  assertFailure(await rejection(check, check.channel.send(request), `a ${kind}`), kind);
}

function assertFailure(error: unknown, kind: TransportFailureKind): void {
  assert.ok(error instanceof TransportFailure, `expected a TransportFailure, got ${error}`);
  assert.equal(error.kind, kind);
}

async function bodyFailure(check: ChannelCheck, body: PushBody): Promise<unknown> {
  await eventually(check, () => body.hasEnded, "the body to fail");
  return body.error;
}
