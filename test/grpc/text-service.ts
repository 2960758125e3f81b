import type {
  CallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  ClientWritableStream,
  Metadata,
  requestCallback,
} from "@grpc/grpc-js";
import {
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  makeGenericClientConstructor,
  type ServiceDefinition,
} from "@grpc/grpc-js";

// A service as generated code has one, whose messages are texts: it needs no protobuf.

const textMessages = {
  requestSerialize: (text: string): Buffer => Buffer.from(text),
  requestDeserialize: (bytes: Buffer): string => bytes.toString(),
  responseSerialize: (text: string): Buffer => Buffer.from(text),
  responseDeserialize: (bytes: Buffer): string => bytes.toString(),
};

export const textService = {
  unary: { path: "/test.Text/Unary", requestStream: false, responseStream: false, ...textMessages },
  clientStream: { path: "/test.Text/ClientStream", requestStream: true, responseStream: false, ...textMessages },
  serverStream: { path: "/test.Text/ServerStream", requestStream: false, responseStream: true, ...textMessages },
  bidi: { path: "/test.Text/Bidi", requestStream: true, responseStream: true, ...textMessages },
} satisfies ServiceDefinition;

export interface TextClient extends Client {
  unary(text: string, callback: requestCallback<string>): ClientUnaryCall;
  unary(text: string, metadata: Metadata, callback: requestCallback<string>): ClientUnaryCall;
  unary(text: string, options: CallOptions, callback: requestCallback<string>): ClientUnaryCall;
  unary(text: string, metadata: Metadata, options: CallOptions, callback: requestCallback<string>): ClientUnaryCall;
  clientStream(callback: requestCallback<string>): ClientWritableStream<string>;
  clientStream(metadata: Metadata, callback: requestCallback<string>): ClientWritableStream<string>;
  clientStream(options: CallOptions, callback: requestCallback<string>): ClientWritableStream<string>;
  serverStream(text: string, options?: CallOptions): ClientReadableStream<string>;
  serverStream(text: string, metadata: Metadata, options?: CallOptions): ClientReadableStream<string>;
  bidi(options?: CallOptions): ClientDuplexStream<string, string>;
  bidi(metadata: Metadata, options?: CallOptions): ClientDuplexStream<string, string>;
}

export const TextClient = makeGenericClientConstructor(textService, "Text") as unknown as new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => TextClient;
