import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { type Cancel, emptyHeaders, type MeshRequest, type MeshResponse } from "@heddle/core";
import { requestOf } from "../builders.ts";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, eventually, fulfilled, rejection } from "./check.ts";
import { type ChannelCheck, type ContractEndpoint, channelCheck, type TransportHarness } from "./transport-harness.ts";

/** An endpoint that switches. */
export interface PipeEndpoint extends ContractEndpoint {
  /** Takes upgrades and CONNECT, and sends back every byte that it is sent. */
  pipe(): Promise<void>;
}

export interface PipeHarness extends TransportHarness {
  readonly endpoint: PipeEndpoint;
}

interface PipeCheck extends ChannelCheck {
  readonly endpoint: PipeEndpoint;
}

function pipeCheck(name: string, run: (check: PipeCheck) => Promise<void>, maxConnections = 10): ContractCheck<PipeHarness> {
  return channelCheck(
    name,
    async (check) => {
      const piping = check as PipeCheck;
      await piping.endpoint.pipe();
      await run(piping);
    },
    { maxConnections },
  );
}

/** What a channel promises for upgrades and CONNECT. */
export const transportPipeChecks: readonly ContractCheck<PipeHarness>[] = [
  ...(["upgrade", "CONNECT"] as const).map((kind) =>
    pipeCheck(`gives the bytes of a switched connection to whoever sent the ${kind}`, async (check) => {
      const request = kind === "upgrade" ? upgradeOf() : requestOf({ method: "CONNECT", path: "reviews:443" });
      const { response, socket } = await switched(check, request);
      assert.equal(response.status, kind === "upgrade" ? 101 : 200);
      assert.equal(await echoed(check, socket, "hello"), "hello");
      assert.equal(request.attempt?.reusedConnection, false);
      socket.end();
      assert.equal(await fulfilled(check, bodyText(response.body), "the end of the pipe"), "");
    }),
  ),
  channelCheck("gives an ordinary answer where the endpoint did not switch", async (check) => {
    await check.endpoint.answer(() => ({ status: 426, body: "not here" }));
    const response = await fulfilled(check, check.channel.send(upgradeOf()), "an answer");
    assert.equal(response.status, 426);
    assert.equal(response.socket, undefined);
    assert.equal(await fulfilled(check, bodyText(response.body), "its body"), "not here");
  }),
  pipeCheck("counts a pipe as a connection until it closes", async (check) => {
    const { socket } = await switched(check, upgradeOf());
    assert.equal(check.channel.connections(), 1);
    socket.destroy();
    await eventually(check, () => check.channel.connections() === 0, "the connection to be gone");
  }),
  pipeCheck(
    "lets no more pipes be than connections may, and the next one in when one closes",
    async (check) => {
      const first = await switched(check, upgradeOf());
      let isSecond = false;
      const second = switched(check, upgradeOf()).then((pipe) => {
        isSecond = true;
        return pipe;
      });
      await echoed(check, first.socket, "still alone");
      assert.equal(isSecond, false);
      first.socket.destroy();
      await echoed(check, (await second).socket, "my turn");
    },
    1,
  ),
  pipeCheck("cancelling cuts a pipe, with the reason", async (check) => {
    const request = upgradeOf();
    const { response, socket } = await switched(check, request);
    const reason = new Error("enough");
    (request.cancel as Cancel).cancel(reason);
    assert.equal(await rejection(check, bodyText(response.body), "the reason"), reason);
    await eventually(check, () => socket.destroyed, "the pipe to be cut");
  }),
  pipeCheck("giving the body up cuts its pipe", async (check) => {
    const { response, socket } = await switched(check, upgradeOf());
    response.body.abandon(new Error("nobody wants it"));
    await eventually(check, () => socket.destroyed, "the pipe to be cut");
  }),
  pipeCheck("close waits for pipes, and destroy cuts them", async (check) => {
    const { socket } = await switched(check, upgradeOf());
    let isClosed = false;
    const closed = check.channel.close().then(() => {
      isClosed = true;
    });
    await echoed(check, socket, "still here");
    assert.equal(isClosed, false);
    check.channel.destroy(new Error("time is up"));
    await fulfilled(check, closed, "the end of close");
    assert.equal(socket.destroyed, true);
  }),
];

function upgradeOf(): MeshRequest {
  return requestOf({ headers: Object.assign(emptyHeaders(), { upgrade: "echo" }) });
}

async function switched(check: ChannelCheck, request: MeshRequest): Promise<{ response: MeshResponse; socket: Duplex }> {
  const response = await fulfilled(check, check.channel.send(request), "the switch");
  const { socket } = response;
  assert.ok(socket, "a pipe");
  return { response, socket };
}

async function echoed(check: ChannelCheck, socket: Duplex, words: string): Promise<string> {
  const heard = new Promise<string>((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
  socket.write(words);
  return fulfilled(check, heard, "what was sent");
}
