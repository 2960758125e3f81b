import { createServer, type Socket } from "node:net";
import { listening, type TlsPeer } from "./tls-peers.ts";

export const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const MAX_CONCURRENT_STREAMS = 3;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One connection of a peer that writes HTTP/2 frames by hand: as wrong as a test wants them. */
export class RawConnection {
  readonly number: number;
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  answersPings = true;

  constructor(number: number, socket: Socket) {
    this.number = number;
    this.socket = socket;
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    if (!this.socket.destroyed) this.socket.write(Buffer.concat([head, payload]));
  }

  settings(mostStreams?: number): void {
    const payload = Buffer.alloc(mostStreams === undefined ? 0 : 6);
    if (mostStreams !== undefined) {
      payload.writeUInt16BE(MAX_CONCURRENT_STREAMS, 0);
      payload.writeUInt32BE(mostStreams, 2);
    }
    this.send(TYPE.settings, 0, 0, payload);
  }

  /** Status 200, with a length if one is given. */
  head(stream: number, length?: number, isLast = false): void {
    const block = [Buffer.from([0x88])];
    if (length !== undefined) block.push(Buffer.from([0x0f, 0x0d, `${length}`.length]), Buffer.from(`${length}`));
    this.send(TYPE.headers, END_HEADERS | (isLast ? END_STREAM : 0), stream, Buffer.concat(block));
  }

  /** 1xx. */
  interim(stream: number, status: number): void {
    this.send(TYPE.headers, END_HEADERS, stream, Buffer.concat([Buffer.from([0x08, 3]), Buffer.from(`${status}`)]));
  }

  data(stream: number, text: string, isLast = false): void {
    this.send(TYPE.data, isLast ? END_STREAM : 0, stream, Buffer.from(text));
  }

  /** Head and body in one segment. */
  answer(stream: number, text: string): void {
    this.socket.cork();
    this.head(stream);
    this.data(stream, text, true);
    this.socket.uncork();
  }

  reset(stream: number, code: number): void {
    this.send(TYPE.reset, 0, stream, words(code));
  }

  goaway(lastStream: number, code: number): void {
    this.send(TYPE.goaway, 0, 0, words(lastStream, code));
  }

  /** Codes of the resets that came. */
  get resets(): readonly number[] {
    return this.frames.filter(({ type }) => type === TYPE.reset).map(({ payload }) => payload.readUInt32BE(0));
  }

  get requests(): number {
    return this.frames.filter(({ type }) => type === TYPE.headers).length;
  }
}

export interface RawPeer extends TlsPeer {
  readonly talks: readonly RawConnection[];
  /** Requests over all connections. */
  readonly requests: () => number;
}

/** A peer that settles as HTTP/2 has it, acknowledges what must be, and does with each request what the test says. */
export async function rawHttp2Peer(
  onRequest: (connection: RawConnection, stream: number) => unknown,
  greet: (connection: RawConnection) => unknown = (connection) => connection.settings(),
): Promise<RawPeer> {
  const talks: RawConnection[] = [];
  const peer = await listening(
    createServer((socket) => {
      const connection = new RawConnection(talks.length + 1, socket);
      talks.push(connection);
      greet(connection);
      readFrames(connection, onRequest);
    }),
  );
  return { ...peer, talks, requests: () => talks.reduce((sum, { requests }) => sum + requests, 0) };
}

function readFrames(connection: RawConnection, onRequest: (connection: RawConnection, stream: number) => unknown): void {
  let buffered = Buffer.alloc(0);
  let isGreeted = false;
  connection.socket.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    if (!isGreeted) {
      if (buffered.length < PREFACE_BYTES) return;
      buffered = buffered.subarray(PREFACE_BYTES);
      isGreeted = true;
    }
    while (buffered.length >= HEAD_BYTES && buffered.length >= HEAD_BYTES + buffered.readUIntBE(0, 3)) {
      const end = HEAD_BYTES + buffered.readUIntBE(0, 3);
      const payload = Buffer.from(buffered.subarray(HEAD_BYTES, end));
      const frame = { type: buffered[3] ?? 0, flags: buffered[4] ?? 0, stream: buffered.readUInt32BE(5), payload };
      buffered = buffered.subarray(end);
      heard(connection, frame, onRequest);
    }
  });
}

function heard(connection: RawConnection, frame: Frame, onRequest: (connection: RawConnection, stream: number) => unknown): void {
  connection.frames.push(frame);
  const { type, flags, stream, payload } = frame;
  const isAck = (flags & ACK) !== 0;
  if (type === TYPE.settings && !isAck) connection.send(TYPE.settings, ACK, 0);
  if (type === TYPE.ping && !isAck && connection.answersPings) connection.send(TYPE.ping, ACK, 0, payload);
  if (type === TYPE.headers) onRequest(connection, stream);
}

function words(...numbers: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) payload.writeUInt32BE(number, index * 4);
  return payload;
}
