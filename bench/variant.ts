import type { Fact, ServerCounts, Setup } from "./protocol.ts";

/** One way of making the same request. Each module in `variants/` exports one as `open`. */
export interface Variant {
  /** One request, until its whole body was read. Rejects unless it was answered as expected. */
  call(): Promise<void>;
  /** A clock reading costs as much as the call: latency is not measured, and the event loop gets its turn by hand. */
  readonly isInstant?: boolean;
  /** Called once, after the last slot; it may send requests of its own to `/probe/*` then. */
  verify?(requests: number, counts: ServerCounts): Promise<readonly Fact[]>;
  close(): Promise<void>;
}

export type OpenVariant = (setup: Setup) => Promise<Variant>;

/** Every answer is this many bytes of JSON. */
export const ANSWER_BYTES = 128;

const frame = JSON.stringify({ id: 7, text: "" });
export const ANSWER: Uint8Array = Buffer.from(JSON.stringify({ id: 7, text: "x".repeat(ANSWER_BYTES - frame.length) }));

/** Fails loudly: a bench of wrong answers measures nothing. */
export function expectAnswer(status: number, bytes: number): void {
  if (status !== 200 || bytes !== ANSWER_BYTES) throw new Error(`expected 200 with ${ANSWER_BYTES} bytes, got ${status} with ${bytes}`);
}
