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
  FetchFunction,
  FetchOptions,
  Listener,
  ListenOptions,
  Reply,
  RequestFunction,
  RequestOptions,
  ServiceHandle,
} from "@heddle/http";
export { type JoinedMesh, joinMesh } from "./join.ts";
export type { JoinOptions } from "./options.ts";
