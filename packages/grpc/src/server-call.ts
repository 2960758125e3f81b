import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import {
  GrpcStatus,
  type HeaderMap,
  type InboundConnection,
  type InboundInit,
  MeshError,
  type MeshRequest,
  type RpcKind,
  startInbound,
} from "@heddle/core";
import { callerLeft, ERROR_HEADER, HOST_AND_PORT, reportFailure, type Serving } from "@heddle/http";
import { CallAnswer } from "./server-answer.ts";
import { calledWith, shownHeaders } from "./server-headers.ts";
import { writeAnswer, writeFailure } from "./server-refusal.ts";
import { timeoutOf, withTimeLeft } from "./server-timeout.ts";

/** A timer of grpc-js may be so much ahead of the clock. */
const TIMER_EARLY_MS = 5;

/** Where calls come in. */
export interface CallPlace {
  readonly serving: Serving;
  /** How the method of this path is called; null: the server has none. */
  kindOf(path: string): RpcKind | null;
  /** Gives the stream to grpc-js. */
  dispatch(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  /** Nothing is begun on its connection any more. */
  finish(stream: ServerHttp2Stream): void;
}

/** A request as it came, before anybody looked at it. */
export interface ArrivedStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly connection: InboundConnection;
}

/**
 * Runs the inbound stack around what grpc-js makes of a stream: a call, of a method that the server has or not, or something else that is
 * not gRPC. grpc-js gets it at most once, in the scope of the request, and not at all where a layer refuses.
 */
export function serveCall(place: CallPlace, arrived: ArrivedStream): void {
  const { serving } = place;
  const { stream, headers } = arrived;
  const path = headers[":path"] ?? "";
  const kind = place.kindOf(path);
  const isCall = isGrpc(headers);
  const timeoutMs = isCall ? timeoutOf(headers) : Number.POSITIVE_INFINITY;
  const { request, inbound } = startInbound(serving.mesh, {
    ...targetOf(arrived),
    app: (called) => {
      refuseUnfit(arrived, request, isCall);
      const shown = withTimeLeft(shownHeaders(headers, request, called), serving.mesh.clock.now() - request.context.startedAt);
      return answer.start(called, () => place.dispatch(stream, shown));
    },
    // Of a method that nobody has there is no end.
    route: () => (kind === null ? undefined : path),
    ...(isCall ? { rpc: { kind: kind ?? "unary", waitForReady: false, client: null } } : {}),
  });
  const answer = new CallAnswer(stream, {
    inbound,
    deadlines: serving.mesh.deadlines,
    isDraining: () => serving.isDraining,
    onStatus: (status) => {
      const endsAt = request.context.startedAt + timeoutMs - TIMER_EARLY_MS;
      if (status === GrpcStatus.DEADLINE_EXCEEDED && serving.mesh.clock.now() >= endsAt) request.cancel.cancel(deadlinePassed());
    },
  });
  if (kind !== null) request.context.route = path;
  const entered = serving.enter({ destroy: () => stream.close(constants.NGHTTP2_CANCEL) });
  // What breaks it is told by "close", which follows.
  stream.on("error", () => {});
  // A reset without an error ends both ways, too; but Node waits for what had come to be read, and for trailers that go nowhere.
  stream.on("aborted", () => process.nextTick(() => stream.destroy()));
  stream.on("close", () => {
    serving.leave(entered);
    if (!answer.body.hasEnded && !answer.isReplaced) request.cancel.cancel(callerLeft());
    answer.close(request.cancel.reason ?? null);
  });
  serving.mesh.inbound(request).then(
    (refusal) => {
      if (answer.hasHead || stream.destroyed || stream.closed) return;
      writeAnswer(answer, stream, refusal, isCall);
      // A connection that would have to be another one has no use for a next call.
      if (refusal.headers[ERROR_HEADER] === "mtls_required") place.finish(stream);
    },
    (error: unknown) => {
      if (!request.cancel.isCancelled) reportFailure(serving.mesh, request, error);
      writeFailure(answer, stream, isCall);
    },
  );
}

/** As grpc-js tells them apart. */
function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers["content-type"]?.startsWith("application/grpc") ?? false;
}

function targetOf({ headers, rawHeaders, connection }: ArrivedStream): Omit<InboundInit, "app" | "route" | "rpc"> {
  return {
    method: headers[":method"] ?? "",
    scheme: connection.isEncrypted ? "https" : "http",
    authority: (headers[":authority"] ?? headers.host ?? "").toLowerCase(),
    path: headers[":path"] ?? "",
    headers: calledWith(headers, rawHeaders),
    connection,
  };
}

/** Throws a MeshError `invalid_request` for what rules would read otherwise than grpc-js, which looks at neither method nor Host. */
function refuseUnfit({ headers }: ArrivedStream, { method, authority, path, headers: fields }: MeshRequest, isCall: boolean): void {
  const refuse = (why: string) => {
    throw new MeshError("invalid_request", `serving ${path} of ${authority}: ${why}`);
  };
  if (isCall && method !== "POST") refuse(`gRPC calls are POST, not ${method}`);
  if (!HOST_AND_PORT.test(authority)) refuse("its authority is no host with or without a port");
  if (headers[":authority"] !== undefined && !saysTheSame(fields.host, authority)) refuse(`its Host is another one than its authority`);
}

function saysTheSame(host: HeaderMap[string], authority: string): boolean {
  return host === undefined || (typeof host === "string" && host.toLowerCase() === authority);
}

function deadlinePassed(): MeshError {
  return new MeshError("deadline_exceeded", "the deadline of the caller passed while its call was being served");
}
