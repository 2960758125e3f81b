import { Cancel } from "./cancel.ts";
import type { Clock } from "./clock.ts";
import { type CallOptions, currentScope, narrowed, RequestContext } from "./context.ts";
import { durationMs } from "./duration.ts";
import type { HeaderMap, MeshRequest, RequestBody } from "./message.ts";
import type { RpcCall } from "./rpc.ts";

/** Everything a request needs besides the mesh's own decisions. */
export interface RequestInit {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly path: string;
  /** Lower-case names, without `host`. The mesh does not change this object. */
  readonly headers: HeaderMap;
  readonly body: RequestBody;
  readonly options?: CallOptions | undefined;
  /** It is a gRPC call. */
  readonly rpc?: RpcCall | undefined;
}

const NO_OPTIONS: CallOptions = {};

/** A request with its context. It inherits deadline, trace and tags of the inbound request it is made in; the smallest deadline holds. */
export function startOutbound(init: RequestInit, clock: Clock): MeshRequest {
  const now = clock.now();
  const scope = currentScope();
  const own = init.options ?? NO_OPTIONS;
  const options = scope?.options === undefined ? own : narrowed(scope.options, own);
  const cancel = new Cancel();
  const context = new RequestContext(now, options, cancel, scope);
  if (init.rpc !== undefined) context.rpc = init.rpc;
  if (scope !== null) context.deadlineAt = scope.deadlineAt;
  if (options.timeout !== undefined) context.deadlineAt = Math.min(context.deadlineAt, now + durationMs(options.timeout, "timeout"));
  const { method, scheme, authority, path, headers, body } = init;
  return { method, scheme, authority, path, headers, body, context, cancel, attempt: null };
}
