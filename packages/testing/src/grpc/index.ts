export type { FakeGrpcAnswer, FakeGrpcEndpoint, FakeGrpcHandler } from "./fake-grpc-endpoint.ts";
export type { FakeGrpcCall } from "./fake-grpc-exchange.ts";
export { type FakeGrpcTransport, fakeGrpcTransport } from "./fake-grpc-transport.ts";
