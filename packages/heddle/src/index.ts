export {
  type CallOptions,
  type ControlSource,
  context,
  type Duration,
  type Explanation,
  fileSource,
  type Health,
  type InboundRequestContext,
  type Inspection,
  MeshError,
  type MeshErrorCode,
  meshError,
  type Problem,
  type Report,
  staticSource,
} from "@heddle/core";
export type {
  Application,
  Attachment,
  AttachOptions,
  FastifyApp,
  FetchConnection,
  FetchFunction,
  FetchHandler,
  FetchOptions,
  Listener,
  ListenOptions,
  Reply,
  RequestFunction,
  RequestOptions,
  Servable,
  ServerFactory,
  ServiceHandle,
} from "@heddle/http";
export type { CloseOnOptions } from "./close-on.ts";
export { type JoinedMesh, joinMesh } from "./join.ts";
export type { JoinOptions } from "./options.ts";
