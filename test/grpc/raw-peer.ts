import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

// A server of HTTP/2 frames, one by one: it says what no library would.

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const MAX_CONCURRENT_STREAMS = 3;

const Frame = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7 } as const;

export interface RawCall {
  readonly socket: Socket;
  readonly stream: number;
  headers(fields: Readonly<Record<string, string>>, isEnd?: boolean): RawCall;
  data(bytes: Uint8Array, isEnd?: boolean): RawCall;
  reset(code: number): RawCall;
  goAway(code: number, lastStream: number): RawCall;
  raw(bytes: Uint8Array): RawCall;
}

export interface RawPeer {
  readonly address: string;
  /** Connections that were made. */
  readonly connections: number;
  readonly open: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** `call`: for each request, once all of it has come. `connected`: instead of the server's SETTINGS; whether frames are read is what it returns. */
export async function rawPeer(call: (call: RawCall) => void, connected: (socket: Socket) => boolean = greet): Promise<RawPeer> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections++;
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => open.delete(socket));
    if (!connected(socket)) {
      socket.resume();
      return;
    }
    readFrames(socket, (type, flags, stream, payload) => {
      if (type === Frame.SETTINGS && !(flags & ACK)) socket.write(frame(Frame.SETTINGS, ACK, 0));
      if (type === Frame.PING && !(flags & ACK)) socket.write(frame(Frame.PING, ACK, 0, payload));
      if ((type === Frame.HEADERS || type === Frame.DATA) && flags & END_STREAM) call(rawCall(socket, stream));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    open,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export function greet(socket: Socket): boolean {
  socket.write(frame(Frame.SETTINGS, 0, 0));
  return true;
}

/** SETTINGS that allow so many streams at once. */
export function admitFrame(streams: number): Buffer {
  return frame(Frame.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, MAX_CONCURRENT_STREAMS]), uint32(streams)]));
}

export function goAwayFrame(code: number, lastStream: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastStream, 0);
  payload.writeUInt32BE(code, 4);
  return frame(Frame.GOAWAY, 0, 0, payload);
}

function rawCall(socket: Socket, stream: number): RawCall {
  const send = (bytes: Uint8Array) => {
    if (socket.writable) socket.write(bytes);
    return call;
  };
  const call: RawCall = {
    socket,
    stream,
    headers: (fields, isEnd = false) => send(frame(Frame.HEADERS, END_HEADERS | (isEnd ? END_STREAM : 0), stream, block(fields))),
    data: (bytes, isEnd = false) => send(frame(Frame.DATA, isEnd ? END_STREAM : 0, stream, bytes)),
    reset: (code) => send(frame(Frame.RST_STREAM, 0, stream, uint32(code))),
    goAway: (code, lastStream) => send(goAwayFrame(code, lastStream)),
    raw: send,
  };
  return call;
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literal fields that no table keeps (RFC 7541 6.2.2), of fewer than 127 bytes each. */
function block(fields: Readonly<Record<string, string>>): Buffer {
  const literal = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  return Buffer.concat(Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function readFrames(socket: Socket, received: (type: number, flags: number, stream: number, payload: Buffer) => void): void {
  let bytes = Buffer.alloc(0);
  let at = PREFACE_BYTES;
  socket.on("data", (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= at + HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (bytes.length < end) return;
      received(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, bytes.readUInt32BE(at + 5), bytes.subarray(at + HEAD_BYTES, end));
      bytes = bytes.subarray(end);
      at = 0;
    }
  });
}
