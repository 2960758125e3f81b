import type { ClientReadableStream, Metadata, requestCallback, ServiceError, StatusObject } from "@grpc/grpc-js";

// Calls of generated clients, as data.

export interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly value: string | null;
  readonly error: ServiceError | null;
}

/** What a call with one answer came to. `call` is given the callback. */
export function outcomeOf(call: (callback: requestCallback<string>) => unknown): Promise<Outcome> {
  return new Promise((resolve) => {
    call((error, value) => {
      if (error) resolve({ code: error.code, details: error.details, value: null, error });
      else resolve({ code: 0, details: "", value: value ?? null, error: null });
    });
  });
}

export interface Streamed {
  readonly messages: readonly string[];
  readonly metadata: Metadata | null;
  readonly status: StatusObject;
  readonly error: ServiceError | null;
}

/** Everything that a stream of answers brings, in the order it came. */
export function streamed(stream: ClientReadableStream<string>): Promise<Streamed> {
  const messages: string[] = [];
  let metadata: Metadata | null = null;
  let error: ServiceError | null = null;
  return new Promise((resolve) => {
    stream.on("metadata", (received: Metadata) => {
      metadata = received;
    });
    stream.on("data", (message: string) => messages.push(message));
    stream.on("error", (failure: ServiceError) => {
      error = failure;
    });
    let status: StatusObject | null = null;
    const done = (): void => {
      if (status !== null && (error !== null || status.code === 0)) resolve({ messages, metadata, status, error });
    };
    stream.on("status", (received: StatusObject) => {
      status = received;
      if (received.code !== 0) setImmediate(done);
    });
    stream.on("end", () => setImmediate(done));
  });
}
