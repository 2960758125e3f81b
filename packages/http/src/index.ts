// First: it must be evaluated before anything loads undici.
import "./former-global.ts";

export type { ConnectionUse } from "./admitted-connections.ts";
export type { Application, FastifyApp, Servable } from "./application.ts";
export type { MessageOptions } from "./call.ts";
export { checkCallOptions } from "./call-options.ts";
// For transports over connections of their own: dialled, counted and called by the same names as those of HTTP/2.
export { startConnectTimer } from "./connect-timer.ts";
export { type Dial, dialer } from "./dial.ts";
export { tlsDialer } from "./dial-tls.ts";
export { MeshDispatcher, type MeshDispatcherOptions, type MeshDispatchOptions } from "./dispatcher.ts";
export { refuseSemicolonDelimiter } from "./fastify-routing.ts";
export { type FetchFunction, type FetchOptions, meshFetch } from "./fetch.ts";
export type { FetchConnection, FetchHandler } from "./fetch-handler.ts";
export { ERROR_HEADER, type Failures } from "./front-door.ts";
export type { HeadersInput } from "./header-map.ts";
export { isOfTheProtocol, nameOf as http2ErrorName, sessionFailure } from "./http2-failure.ts";
export { headersOf as http2HeadersOf, requestHead } from "./http2-headers.ts";
export { installMesh } from "./install.ts";
export { type MeshInterceptor, meshInterceptor } from "./interceptor.ts";
export { type Listener, type ListenOptions, listen, urlOf } from "./listener.ts";
export { type Attachment, type AttachOptions, attach } from "./listener-attach.ts";
export { type HealthCheck, type HealthOptions, readinessOf } from "./listener-health.ts";
export { ENTRY_LIMIT_MS, Entrance, type EntranceOptions } from "./listener-tls.ts";
export { MeshAgent, type MeshAgentOptions } from "./mesh-agent.ts";
export { bindListeners } from "./node-context.ts";
export { HOST_AND_PORT, type Routing } from "./node-derived.ts";
export { DRAINING_HEADER } from "./node-drain.ts";
export { callerLeft, reportFailure, type ServeOptions, serveRequest } from "./node-request.ts";
export { type Cuttable, inboundOf, isServed, Serving, type ServingMesh } from "./node-serving.ts";
export { markRoute } from "./node-target.ts";
export { OpenSockets } from "./open-sockets.ts";
export { ownCalls } from "./own-calls.ts";
export { receivedHeaders } from "./received-headers.ts";
export type { Reply } from "./reply.ts";
export { meshRequest, type RequestFunction, type RequestOptions } from "./request.ts";
export type { BodyInput } from "./request-body.ts";
export { type Chunks, type Sending, sendableBody } from "./sendable-body.ts";
export { type ServerFactory, serverFactory } from "./server-factory.ts";
export {
  type ReplyPromise,
  type ServiceCallOptions,
  type ServiceHandle,
  type ServiceRequestOptions,
  serviceHandle,
} from "./service-handle.ts";
export type { Query } from "./target.ts";
export { failureOfHandshake } from "./tls-failure.ts";
export { transportFailure } from "./transport-failure.ts";
export type { OutboundOptions } from "./unclaimed.ts";
export { httpTransport } from "./undici-transport.ts";
export { guardUpgrades } from "./upgrade-guard.ts";
