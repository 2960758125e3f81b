import type { ClientDuplexStream, MetadataValue, ServiceError, StatusObject } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { expect } from "vitest";

/** A client of `heddle.test.Peer`. */
export type PeerCaller = Record<"Unary" | "Collect" | "Expand" | "Chat" | "Unknown", (...args: unknown[]) => unknown> & { close(): void };

/** What a caller was given. */
export interface Ending {
  readonly messages: readonly Buffer[];
  readonly headers: Metadata | null;
  readonly code: number;
  readonly details: string;
  readonly trailers: Metadata;
}

export type AnyCall = ClientDuplexStream<Uint8Array, Buffer>;

/** Everything that a call of a generated client gives, whatever its kind. */
export async function ending(begin: (answered: (error: ServiceError | null, message?: Buffer) => void) => unknown): Promise<Ending> {
  const messages: Buffer[] = [];
  let headers: Metadata | null = null;
  const call = begin((_error, message) => message !== undefined && messages.push(message)) as AnyCall;
  call.on("metadata", (metadata: Metadata) => {
    headers = metadata;
  });
  call.on("error", () => {});
  // Of calls that await one answer there is nothing to read.
  if ("read" in call) call.on("data", (message: Buffer) => messages.push(message));
  // Not by once(): an error comes before the status.
  const { code, details, metadata } = await new Promise<StatusObject>((resolve) => call.once("status", resolve));
  await new Promise((later) => setImmediate(later));
  return { messages, headers, code, details, trailers: metadata };
}

export function metadataOf(fields: Readonly<Record<string, MetadataValue>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fields)) metadata.add(name, value);
  return metadata;
}

export const BYTES = Buffer.from([0, 1, 2, 253, 254, 255]);
/** Is echoed by every method, in the head and in the trailers. */
export const ECHO = { "x-echo": "a, b", "x-echo-bin": BYTES };

export function expectEchoed(metadata: Metadata | null): void {
  expect(metadata?.get("x-echo")).toEqual(["a, b"]);
  expect(metadata?.get("x-echo-bin").map((value) => Buffer.from(value as Buffer))).toEqual([BYTES]);
}
