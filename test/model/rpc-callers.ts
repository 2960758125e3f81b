import { type ClientReadableStream, type ClientUnaryCall, type ClientWritableStream, Metadata, type StatusObject } from "@grpc/grpc-js";
import type { RpcKind } from "@heddle/core";
import type { TestMesh } from "@heddle/testing";
import { TextClient } from "../grpc/text-service.ts";

/** One call of a generated client, and everything that came of it. */
export interface RpcCaller {
  readonly number: number;
  readonly kind: RpcKind;
  readonly written: string[];
  readonly received: string[];
  /** Every status that it was told: one, or something is wrong. */
  readonly statuses: StatusObject[];
  /** Tries that there were when its head came; null: it did not. */
  triesAtHead: number | null;
  wasCancelled: boolean;
  isHalfClosed: boolean;
  write(): void;
  halfClose(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

type Made = ClientUnaryCall & Partial<ClientReadableStream<string>> & Partial<ClientWritableStream<string>>;

/** `tries`: that there are by now. */
export function startCall(t: TestMesh, kind: RpcKind, number: number, tries: () => number): RpcCaller {
  const client = t.grpc(TextClient, "reviews");
  const metadata = new Metadata();
  metadata.set("x-call", String(number));
  metadata.set("x-kind", kind);
  const written: string[] = [];
  const received: string[] = [];
  const statuses: StatusObject[] = [];
  const done = (_error: unknown, text?: string): void => void (text !== undefined && received.push(text));
  const only = `${number}:0`;
  const sendsMany = kind === "client-stream" || kind === "bidi-stream";
  const make = (): unknown => {
    if (kind === "unary") return client.unary(only, metadata, done);
    if (kind === "client-stream") return client.clientStream(metadata, done);
    if (kind === "server-stream") return client.serverStream(only, metadata);
    return client.bidi(metadata);
  };
  // The four kinds of streams have what is used here, as far as it is used for them.
  const made = make() as Made;
  if (!sendsMany) written.push(only);
  made.on("status", (status: StatusObject) => statuses.push(status));
  made.on("error", () => {});
  if (kind === "server-stream" || kind === "bidi-stream") made.on("data", (text: string) => received.push(text));
  const caller: RpcCaller = {
    number,
    kind,
    written,
    received,
    statuses,
    triesAtHead: null,
    wasCancelled: false,
    isHalfClosed: !sendsMany,
    write() {
      if (this.isHalfClosed || this.wasCancelled || statuses.length > 0) return;
      written.push(`${number}:${written.length}`);
      made.write?.(written.at(-1) as string);
    },
    halfClose() {
      if (!this.isHalfClosed) made.end?.();
      this.isHalfClosed = true;
    },
    cancel() {
      if (statuses.length > 0) return;
      this.wasCancelled = true;
      made.cancel();
    },
    pause: () => void made.pause?.(),
    resume: () => void made.resume?.(),
  };
  made.on("metadata", () => {
    caller.triesAtHead = tries();
  });
  return caller;
}
