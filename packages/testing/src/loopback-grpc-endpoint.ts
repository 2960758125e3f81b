import type { TlsOptions } from "node:tls";
import { type Clock, type HeaderMap, systemClock } from "@heddle/core";
import type { RpcEndpoint } from "./contract/transport-rpc.ts";
import { LoopbackHttp2, type LoopbackHttp2Endpoint, type Speech } from "./loopback-http2-endpoint.ts";

/**
 * A real HTTP/2 server on 127.0.0.1 that takes gRPC calls and does as it is told. Every chunk of an answer's body is a message, its
 * trailers get `grpc-status: 0` where they have none; a head with a `grpc-status` is an answer of trailers only.
 */
export interface LoopbackGrpcEndpoint extends LoopbackHttp2Endpoint, Pick<RpcEndpoint, "messages"> {}

export async function loopbackGrpcEndpoint(clock: Clock = systemClock, tls: TlsOptions | null = null): Promise<LoopbackGrpcEndpoint> {
  const messages: (readonly Uint8Array[])[] = [];
  const endpoint = new LoopbackHttp2(clock, tls, grpcSpeech(messages));
  await endpoint.listen();
  return Object.assign(endpoint, { messages });
}

function grpcSpeech(received: (readonly Uint8Array[])[]): Speech {
  return {
    received(body) {
      const messages = messagesIn(body);
      received.push(messages);
      return Buffer.concat(messages);
    },
    chunk: framed,
    head: (headers) => ({ ...headers, "content-type": "application/grpc" }),
    trailers: (given): HeaderMap => ({ "grpc-status": "0", ...given }),
    isWhole: (head) => head["grpc-status"] !== undefined,
    brokenHead: { "content-type": "application/grpc" },
  };
}

const FRAME_HEAD_BYTES = 5;

/** One message as it stands on the wire, not compressed (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function framed(message: Uint8Array | string): Buffer {
  const bytes = typeof message === "string" ? Buffer.from(message) : message;
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** The messages of bytes that are whole frames, none of them compressed. */
export function messagesIn(bytes: Buffer): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length; ) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + FRAME_HEAD_BYTES, end));
    at = end;
  }
  return messages;
}
