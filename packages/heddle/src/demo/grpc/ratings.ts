import { Client, type ClientDuplexStream, type ServiceDefinition, type ServiceError, status } from "@grpc/grpc-js";

export interface Rating {
  readonly product: string;
  readonly stars: readonly number[];
  /** Of the process that answered. */
  readonly pid: number;
}

// In a project of your own a generator makes all of this of a .proto file, and messages are protobuf. To gRPC they are bytes; here they
// are JSON, so that there is nothing to generate.
const toBytes = (message: unknown): Buffer => Buffer.from(JSON.stringify(message));
const fromBytes = <T>(bytes: Buffer): T => JSON.parse(bytes.toString()) as T;
const codec = {
  requestSerialize: toBytes,
  requestDeserialize: fromBytes<string>,
  responseSerialize: toBytes,
  responseDeserialize: fromBytes<Rating>,
};
const unary = { ...codec, requestStream: false, responseStream: false };

export const RATINGS: ServiceDefinition = {
  Get: { path: "/demo.Ratings/Get", ...unary },
  Watch: { path: "/demo.Ratings/Watch", ...codec, requestStream: true, responseStream: true },
  // The document allows it to nobody.
  Forget: { path: "/demo.Ratings/Forget", ...unary },
};

export class RatingsClient extends Client {
  get(product: string): Promise<Rating> {
    return this.#ask("/demo.Ratings/Get", product);
  }

  forget(product: string): Promise<Rating> {
    return this.#ask("/demo.Ratings/Forget", product);
  }

  /** One answer to each product, in order. */
  watch(): ClientDuplexStream<string, Rating> {
    return this.makeBidiStreamRequest("/demo.Ratings/Watch", toBytes, fromBytes<Rating>);
  }

  #ask(path: string, product: string): Promise<Rating> {
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(path, toBytes, fromBytes<Rating>, product, (error, answer) => {
        if (answer === undefined) reject(error);
        else resolve(answer);
      });
    });
  }
}

/** What a call ends with, as gRPC calls it. */
export async function statusOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "OK";
  } catch (error) {
    return status[(error as ServiceError).code] ?? String(error);
  }
}
