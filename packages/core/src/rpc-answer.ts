import { emptyHeaders, type HeaderMap, localResponse, type MeshRequest, type MeshResponse } from "./message.ts";
import { PushBody } from "./push-body.ts";
import { GrpcStatus, grpcStatusOfHttp, readGrpcStatus } from "./rpc.ts";

/** What must not stand in a `grpc-message` as it is (gRPC over HTTP/2, "Percent-Encoded"). */
const TO_ENCODE = /[^ -$&-~]+/gu;

/** Text as `grpc-message` carries it: bytes of UTF-8, percent-encoded where they are not printable ASCII. */
function encoded(text: string): string {
  return text.toWellFormed().replace(TO_ENCODE, encodeURIComponent);
}

/** An answer to a gRPC call that is over when it begins. `message` is encoded here; `more` are trailers beside it. */
export function trailersOnly(status: number, message: string, more: HeaderMap = {}): MeshResponse {
  const trailers = emptyHeaders();
  Object.assign(trailers, more);
  trailers["grpc-status"] = String(status);
  if (message !== "") trailers["grpc-message"] = encoded(message);
  const headers = emptyHeaders();
  headers["content-type"] = "application/grpc";
  const body = new PushBody(null);
  body.end(trailers);
  return { status: 200, headers, body };
}

/** What a gRPC call ended with, as far as its answer tells by now; null: it goes on, or broke. */
export function endedWith({ status, body }: MeshResponse): number | null {
  if (!body.hasEnded || body.error !== null) return null;
  const value = body.trailers?.["grpc-status"];
  if (value === undefined && status !== 200) return grpcStatusOfHttp(status);
  return readGrpcStatus(typeof value === "object" ? value[0] : value);
}

/** A call that failed before anything of its answer came: its status is all there is, and it can be tried again. */
export function isFailedAtOnce(response: MeshResponse): boolean {
  if (response.body.isReaderBehind) return false;
  const status = endedWith(response);
  return status !== null && status !== GrpcStatus.OK;
}

/** An answer of the mesh itself, as whoever asked understands it: to a gRPC call the status that a client would make of it, and its text as message. */
export function answerTo({ context }: MeshRequest, status: number, body: string | null, headers?: HeaderMap): MeshResponse {
  if (context.rpc === null) return localResponse(status, body, headers);
  return trailersOnly(grpcStatusOfHttp(status), body?.trimEnd() ?? "", metadataOnly(headers));
}

/** Of the headers of an answer, what is not about its body. */
function metadataOnly(headers: HeaderMap = {}): HeaderMap {
  const metadata = emptyHeaders();
  for (const name in headers) if (!name.startsWith("content-")) metadata[name] = headers[name];
  return metadata;
}
