import { type Client, type ClientOptions, credentials, Metadata, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { expectAnswer } from "./variant.ts";

/** The metadata by which servers count. */
export const PATH_KEY = "x-bench-path";

const bytes = (message: Buffer): Buffer => message;

/** As generators make it, without one: messages are bytes. */
export const Reviews = {
  Get: {
    path: "/bench.Reviews/Get",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
} as const;

export const ReviewsClient = makeGenericClientConstructor(Reviews, "Reviews");
export type ReviewsClient = Client & Record<string, (...args: unknown[]) => unknown>;

const QUESTION = Buffer.from("7");

/** How long a call may take: the total of the mesh's document. */
export interface CallSettings {
  readonly metadata?: Metadata;
  readonly timeoutMs?: number;
}

/** One call, until its status came. Rejects with the error of the client. */
export function get(client: ReviewsClient, metadata: Metadata, options: object = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    client.Get?.(QUESTION, metadata, options, (error: ServiceError | null, answer?: Buffer) => {
      if (error !== null) return reject(error);
      try {
        expectAnswer(200, answer?.length ?? 0);
        resolve();
      } catch (wrong) {
        reject(wrong);
      }
    });
  });
}

export function metadataFor(path: string): Metadata {
  const metadata = new Metadata();
  metadata.set(PATH_KEY, path);
  return metadata;
}

/** A plain client of grpc-js with connections of its own. */
export function plainClient(target: string, options: ClientOptions = {}): ReviewsClient {
  return new ReviewsClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    ...options,
  }) as unknown as ReviewsClient;
}
