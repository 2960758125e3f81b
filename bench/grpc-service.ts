import {
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { CALLER, FORBIDDEN, FORBIDDEN_GRPC_SERVICE, GRPC_SERVICE, idOf, SERVICE } from "./document.ts";
import { readCredentials } from "./handed-credentials.ts";
import { expectAnswer } from "./variant.ts";

/** The metadata by which servers count. */
export const PATH_KEY = "x-bench-path";

const bytes = (message: Buffer): Buffer => message;
const unary = {
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
} as const;

/** As generators make it, without one: messages are bytes. */
export const Reviews = { Get: { path: `/${GRPC_SERVICE}/Get`, ...unary } };
const Forbidden = { Forbidden: { path: `/${FORBIDDEN_GRPC_SERVICE}/Get`, ...unary } };

export const ReviewsClient = makeGenericClientConstructor({ ...Reviews, ...Forbidden }, "Reviews");
export type ReviewsClient = Client & Record<string, (...args: unknown[]) => unknown>;

const QUESTION = Buffer.from("7");

/** One call, until its status came. Rejects with the error of the client. */
export function get(client: ReviewsClient, metadata: Metadata, method: "Get" | "Forbidden" = "Get"): Promise<void> {
  return new Promise((resolve, reject) => {
    client[method]?.(QUESTION, metadata, (error: ServiceError | null, answer?: Buffer) => {
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

/** A call outside of what is measured: its status as a number. For `FORBIDDEN` it is to a method that no rule allows. */
export function statusOf(client: ReviewsClient, path: string): Promise<number> {
  return get(client, metadataFor(path), path === FORBIDDEN ? "Forbidden" : "Get").then(
    () => 0,
    ({ code }: { code?: number }) => code ?? -1,
  );
}

export function metadataFor(path: string): Metadata {
  const metadata = new Metadata();
  metadata.set(PATH_KEY, path);
  return metadata;
}

/** A plain client of grpc-js with connections of its own; by mutual TLS where there is an authority. */
export function plainClient(target: string, authority: string | null, options: ClientOptions = {}): ReviewsClient {
  const channel = authority === null ? credentials.createInsecure() : mutualCredentials(authority);
  const named = authority === null ? {} : { "grpc.ssl_target_name_override": SERVICE };
  return new ReviewsClient(target, channel, { "grpc.use_local_subchannel_pool": 1, ...named, ...options }) as unknown as ReviewsClient;
}

function mutualCredentials(authority: string): ChannelCredentials {
  const { roots, key, certificate } = readCredentials(authority, CALLER);
  return credentials.createSsl(Buffer.from(roots), Buffer.from(key), Buffer.from(certificate), {
    checkServerIdentity: (_host, { subjectaltname }) =>
      subjectaltname === `URI:${idOf(SERVICE)}` ? undefined : new Error(`the server is ${subjectaltname}`),
  });
}
