import { promisify } from "node:util";
import zlib from "node:zlib";
import { GrpcStatus } from "@heddle/core";

// grpc-js's own lets what is not compressed as it says end the process, in its older versions.

/** By the number that `grpc.default_compression_algorithm` has for it. */
const BY_NUMBER: Readonly<Record<number, string>> = { 1: "deflate", 2: "gzip" };

const COMPRESS = { gzip: promisify(zlib.gzip), deflate: promisify(zlib.deflate) };

const DECOMPRESS: Readonly<Record<string, (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer>>> = {
  gzip: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  deflate: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate),
};

/** What this side can read, as `grpc-accept-encoding` has it. */
export const ACCEPTED_ENCODINGS = "identity,deflate,gzip";

/** null: not compressed. */
export type Encoding = "gzip" | "deflate" | null;

export function encodingOf(number: number | undefined): Encoding {
  return (BY_NUMBER[number ?? 0] ?? null) as Encoding;
}

export function compress(message: Buffer, encoding: Exclude<Encoding, null>): Promise<Buffer> {
  return COMPRESS[encoding](message);
}

/** Of a message that cannot be read: what the call ends with. */
export class UnreadableMessage extends Error {
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `encoding`: as the head of the answer says. `mostBytes`: of the message; negative: any number. Rejects with {@link UnreadableMessage}. */
export async function decompress(bytes: Uint8Array, encoding: string, mostBytes: number): Promise<Buffer> {
  const read = Object.hasOwn(DECOMPRESS, encoding) ? DECOMPRESS[encoding] : undefined;
  if (read === undefined) throw new UnreadableMessage(GrpcStatus.INTERNAL, `a compressed message came, and grpc-encoding says ${encoding}`);
  try {
    return await read(bytes, mostBytes < 0 ? {} : { maxOutputLength: Math.max(1, mostBytes) });
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      const words = `a message is larger than ${mostBytes} bytes once it is decompressed`;
      throw new UnreadableMessage(GrpcStatus.RESOURCE_EXHAUSTED, words, { cause });
    }
    throw new UnreadableMessage(GrpcStatus.INTERNAL, `a message is not compressed as grpc-encoding says (${encoding})`, { cause });
  }
}
