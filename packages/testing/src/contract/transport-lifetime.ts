import assert from "node:assert/strict";
import { TransportFailure } from "@heddle/core";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, eventually, fulfilled, gate, rejection } from "./check.ts";
import { type ChannelCheck, channelCheck, type TransportHarness } from "./transport-harness.ts";

const CONCURRENT = 50;
const MOST_CONNECTIONS = 4;

/** Connections are made when needed, shared, bounded, and gone in the end. */
export const transportLifetimeChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("opening a channel connects to nothing", async (check) => {
    await check.pass(20);
    assert.equal(check.channel.connections(), 0);
  }),
  channelCheck("uses a connection again, and says so", async (check) => {
    await check.endpoint.answer(() => ({ body: "x" }));
    const reused: (boolean | undefined)[] = [];
    const connections = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const request = check.request();
      const { body } = await fulfilled(check, check.channel.send(request), "a response");
      await fulfilled(check, bodyText(body), "the body");
      await check.pass(1);
      reused.push(request.attempt?.reusedConnection);
      connections.add(request.attempt?.connection ?? 0);
    }
    assert.deepEqual(reused, [false, true, true]);
    assert.ok(connections.size === 1 && !connections.has(0), `connection: ${[...connections]}, expected one number above 0`);
    assert.equal(check.channel.connections(), 1);
  }),
  channelCheck(
    "gives each of many concurrent requests its own answer, over no more connections than allowed",
    async (check) => {
      let most = 0;
      await check.endpoint.answer((request) => {
        most = Math.max(most, check.channel.connections());
        return { body: request.path };
      });
      const paths = Array.from({ length: CONCURRENT }, (_, index) => `/${index}`);
      const texts = paths.map(async (path) => bodyText((await check.channel.send(check.request({ path }))).body));
      assert.deepEqual(await fulfilled(check, Promise.all(texts), "every answer"), paths);
      assert.ok(most <= MOST_CONNECTIONS, `${most} connections, ${MOST_CONNECTIONS} allowed`);
    },
    { maxConnections: MOST_CONNECTIONS },
  ),
  channelCheck("close lets what is in flight finish, then leaves no connection", async (check) => {
    const { rest, body } = await halfAnswered(check);
    let isClosed = false;
    const closed = check.channel.close().then(() => {
      isClosed = true;
    });
    await check.pass(20);
    assert.equal(isClosed, false, "closed while a request was in flight");
    rest.open();
    assert.equal(await fulfilled(check, bodyText(body), "the body of the request in flight"), "first second");
    await fulfilled(check, closed, "the end of close");
    assert.equal(check.channel.connections(), 0);
  }),
  channelCheck("takes no request after close, and says that nothing was sent", async (check) => {
    await check.endpoint.answer(() => ({}));
    await fulfilled(check, check.channel.close(), "the end of close");
    const request = check.request();
    const error = await rejection(check, check.channel.send(request), "a failure");
    assert.ok(error instanceof TransportFailure, `expected a TransportFailure, got ${error}`);
    assert.equal(error.kind, "connect-failure");
    assert.equal(request.attempt?.wasSent, false, "wasSent");
    assert.equal(check.endpoint.requests.length, 0);
  }),
  channelCheck("close can be called again", async (check) => {
    await check.endpoint.answer(() => ({ body: "x" }));
    await fulfilled(check, bodyText((await fulfilled(check, check.channel.send(check.request()), "a response")).body), "the body");
    await fulfilled(check, Promise.all([check.channel.close(), check.channel.close()]), "both to end");
    await fulfilled(check, check.channel.close(), "a third to end");
    assert.equal(check.channel.connections(), 0);
  }),
  channelCheck("destroy cuts what waits for a head and what has one, and leaves no connection", async (check) => {
    const { body } = await halfAnswered(check);
    await check.endpoint.hang("head");
    const waiting = check.channel.send(check.request());
    waiting.catch(() => undefined);
    await eventually(check, () => check.endpoint.requests.length === 2, "the second request to arrive");
    check.channel.destroy(new Error("cut"));
    await rejection(check, waiting, "a failure");
    await eventually(check, () => body.hasEnded, "the body to fail");
    assert.notEqual(body.error, null);
    await fulfilled(check, check.channel.close(), "the end of close");
    assert.equal(check.channel.connections(), 0);
  }),
];

async function halfAnswered(check: ChannelCheck) {
  const rest = gate();
  async function* parts(): AsyncGenerator<string> {
    yield "first ";
    await rest.opened;
    yield "second";
  }
  await check.endpoint.answer(() => ({ body: parts() }));
  const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
  return { rest, body };
}
