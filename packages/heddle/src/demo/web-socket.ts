import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 0x81;
const CLOSE = 0x88;
const MASKED = 0x80;
const LONGEST = 125;

/**
 * Takes an upgrade to WebSocket and answers every text with another, until the client closes. As much of RFC 6455 as the demo needs:
 * texts of up to 125 bytes, each in one frame. In a project of your own: ws, or @fastify/websocket.
 */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, answer: (text: string) => string): void {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  let received = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (let frame = readFrame(received); frame !== null; frame = readFrame(received)) {
      received = received.subarray(frame.length);
      if (frame.kind === CLOSE) socket.end(frameOf(CLOSE, frame.payload));
      else if (frame.kind === TEXT) socket.write(frameOf(TEXT, Buffer.from(answer(frame.payload.toString()))));
      else socket.destroy();
    }
  });
  socket.on("error", () => {
    // The client has left: the socket closes by itself.
  });
}

interface Frame {
  readonly kind: number;
  readonly payload: Buffer;
  /** Of the whole frame, in bytes. */
  readonly length: number;
}

/** The first frame, once all of it is there. What a client sends is masked. */
function readFrame(bytes: Buffer): Frame | null {
  const [kind = 0, second = 0] = bytes;
  const size = second & ~MASKED;
  const length = 6 + size;
  if (bytes.length < length || size > LONGEST) return null;
  const mask = bytes.subarray(2, 6);
  const payload = Buffer.from(bytes.subarray(6, length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return { kind, payload, length };
}

function frameOf(kind: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([kind, payload.length]), payload]);
}
