export type { MessageOptions } from "./call.ts";
export { MeshDispatcher, type MeshDispatchOptions } from "./dispatcher.ts";
export { type FetchFunction, type FetchOptions, meshFetch } from "./fetch.ts";
export type { HeadersInput } from "./header-map.ts";
export { installMesh } from "./install.ts";
export { type Application, type Listener, type ListenOptions, listen } from "./listener.ts";
export { type Attachment, type AttachOptions, attach } from "./listener-attach.ts";
export type { HealthCheck, HealthOptions } from "./listener-health.ts";
export { serveRequest } from "./node-request.ts";
export { isServed, Serving, type ServingMesh } from "./node-serving.ts";
export type { Reply } from "./reply.ts";
export { meshRequest, type RequestFunction, type RequestOptions } from "./request.ts";
export type { BodyInput } from "./request-body.ts";
export {
  type ReplyPromise,
  type ServiceCallOptions,
  type ServiceHandle,
  type ServiceRequestOptions,
  serviceHandle,
} from "./service-handle.ts";
export type { Query } from "./target.ts";
export type { OutboundOptions } from "./unclaimed.ts";
export { httpTransport } from "./undici-transport.ts";
