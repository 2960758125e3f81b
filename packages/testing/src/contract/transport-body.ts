import assert from "node:assert/strict";
import { BODY_BUFFER_BYTES, type PushBody } from "@heddle/core";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, eventually, fulfilled, gate } from "./check.ts";
import { channelCheck, type TransportHarness } from "./transport-harness.ts";

const LARGE_BYTES = 16 * 1024 * 1024;
/** Beyond the bound, what one read of a socket may bring. */
const SLACK_BYTES = 256 * 1024;
/** More than the socket buffers of both sides hold. */
const MOST_SENT_BYTES = 64 * 1024 * 1024;
const SENT_CHUNK_BYTES = 256 * 1024;

/** The body comes after the head, as fast as it is read. */
export const transportBodyChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("resolves at the head, before the body has ended", async (check) => {
    const rest = gate();
    await check.endpoint.answer(() => ({ body: inTwoParts(rest.opened) }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    const text = bodyText(body);
    await check.pass(20);
    assert.equal(body.hasEnded, false, "the body ended before its second part was sent");
    rest.open();
    assert.equal(await fulfilled(check, text, "the rest of the body"), "first second");
  }),
  channelCheck("ends a small body that nobody reads", async (check) => {
    await check.endpoint.answer(() => ({ body: "x".repeat(1_000) }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    await eventually(check, () => body.hasEnded, "the end of an unread body");
    assert.equal(body.error, null);
    assert.equal((await bodyText(body)).length, 1_000);
  }),
  channelCheck("stops reading when nobody takes what came, and gives all of it, in order, when somebody does", async (check) => {
    await check.endpoint.answer(() => ({ body: numberedChunks() }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    await check.pass(300);
    const reader = new CountingReader(body);
    assert.ok(reader.bytes > 0, "nothing had come");
    assert.ok(reader.bytes <= BODY_BUFFER_BYTES + SLACK_BYTES, `${reader.bytes} bytes were held for a reader that was not there`);
    await eventually(check, () => reader.hasEnded, "the end of the body");
    assert.equal(reader.bytes, LARGE_BYTES);
    assert.equal(reader.isInOrder, true);
  }),
  channelCheck("stops when the reader pauses, and goes on when it resumes", async (check) => {
    await check.endpoint.answer(() => ({ body: numberedChunks() }));
    const { body } = await fulfilled(check, check.channel.send(check.request()), "the head");
    const reader = new CountingReader(body, 1024 * 1024);
    await eventually(check, () => reader.isPaused, "the first MiB");
    const before = reader.bytes;
    await check.pass(300);
    assert.equal(reader.bytes, before, "data came to a reader that had paused");
    assert.equal(body.hasEnded, false, "the body ended while its reader had paused: it was all held");
    reader.resume();
    await eventually(check, () => reader.hasEnded, "the end of the body");
    assert.equal(reader.bytes, LARGE_BYTES);
    assert.equal(reader.isInOrder, true);
  }),
  channelCheck("takes no more of a streamed request body than the endpoint reads", async (check) => {
    await check.endpoint.hang("request");
    let bytes = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (; bytes < MOST_SENT_BYTES; bytes += SENT_CHUNK_BYTES) yield Buffer.alloc(SENT_CHUNK_BYTES);
    }
    const response = check.channel.send(check.request({ method: "POST", body: endless() }));
    response.catch(() => undefined);
    await check.pass(300);
    assert.ok(bytes < MOST_SENT_BYTES, `${bytes} bytes were taken that the endpoint did not read`);
  }),
];

async function* inTwoParts(second: Promise<void>): AsyncGenerator<string> {
  yield "first ";
  await second;
  yield "second";
}

const CHUNK_BYTES = 16 * 1024;

/** Each chunk is filled with its number, modulo 251. */
async function* numberedChunks(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < LARGE_BYTES / CHUNK_BYTES; index++) yield Buffer.alloc(CHUNK_BYTES, index % 251);
}

class CountingReader {
  bytes = 0;
  hasEnded = false;
  isPaused = false;
  isInOrder = true;
  readonly #body: PushBody;

  constructor(body: PushBody, pauseAtBytes: number = Number.POSITIVE_INFINITY) {
    this.#body = body;
    body.attach({
      data: (chunk) => {
        this.#look(chunk);
        if (this.bytes < pauseAtBytes || this.isPaused) return;
        this.isPaused = true;
        body.pause();
      },
      end: () => {
        this.hasEnded = true;
      },
      fail: () => {},
    });
  }

  resume(): void {
    this.#body.resume();
  }

  #look(chunk: Uint8Array): void {
    const isAsSent = (value: number, index: number) => value === Math.floor((this.bytes + index) / CHUNK_BYTES) % 251;
    // The first and last byte of a chunk tell it from its neighbours.
    const last = chunk.length - 1;
    if (!isAsSent(chunk[0] ?? -1, 0) || !isAsSent(chunk[last] ?? -1, last)) this.isInOrder = false;
    this.bytes += chunk.length;
  }
}
