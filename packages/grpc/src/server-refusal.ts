import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import {
  GrpcStatus,
  grpcStatusOfHttp,
  type HeaderMap,
  headerValue,
  MESH_ERROR_CODES,
  MeshError,
  type MeshErrorCode,
  type MeshResponse,
} from "@heddle/core";
import { ERROR_HEADER } from "@heddle/http";
import type { CallAnswer } from "./server-answer.ts";

const CONTENT_TYPE = "application/grpc+proto";
/** Fields of HTTP/1 that HTTP/2 refuses (RFC 9113 section 8.2.2), and the length of a body that is not sent. */
const NOT_SENT: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
  "content-length",
]);

/** Writes what a layer answered in place of the application: to a gRPC call as one, to every other request as HTTP. */
export function writeAnswer(answer: CallAnswer, stream: ServerHttp2Stream, response: MeshResponse, isCall: boolean): void {
  answer.replace();
  if (!isCall) writePlain(answer, stream, response);
  else if (response.body.hasEnded || response.status !== 200) writeTrailersOnly(answer, response);
  else writeMessages(answer, stream, response);
}

/** What a layer fails with, other than a refusal, has no details for strangers. */
export function writeFailure(answer: CallAnswer, stream: ServerHttp2Stream, isCall: boolean): void {
  if (stream.destroyed || stream.closed) return;
  answer.replace();
  // The application may be at work: an answer beside it would be written into.
  if (stream.headersSent || answer.wasAsked) stream.close(INTERNAL_ERROR);
  else if (isCall)
    answer.respond({ ":status": 200, "content-type": CONTENT_TYPE, "grpc-status": GrpcStatus.INTERNAL }, { endStream: true });
  else answer.respond({ ":status": 500 }, { endStream: true });
}

const INTERNAL_ERROR = 2;

function writeTrailersOnly(answer: CallAnswer, response: MeshResponse): void {
  const fields = { ...sendable(response.headers), ...sendable(response.body.trailers ?? {}) };
  answer.respond({ ...fields, ":status": 200, "content-type": CONTENT_TYPE, "grpc-status": statusOf(response) }, { endStream: true });
  response.body.abandon(new Error("an answer of trailers only has no body"));
}

/** That of the answer where it has one, else of the mesh's error that it names, else what HTTP's means. */
function statusOf({ status, headers, body }: MeshResponse): number | string {
  const given = headerValue(body.trailers ?? {}, "grpc-status") ?? headerValue(headers, "grpc-status");
  if (given !== undefined) return given;
  const code = headerValue(headers, ERROR_HEADER);
  if (isErrorCode(code)) return new MeshError(code, "").grpcStatus;
  return status === 200 ? GrpcStatus.OK : grpcStatusOfHttp(status);
}

function isErrorCode(code: string | undefined): code is MeshErrorCode {
  return MESH_ERROR_CODES.some((known) => known === code);
}

function writeMessages(answer: CallAnswer, stream: ServerHttp2Stream, { headers, body }: MeshResponse): void {
  answer.respond({ ...sendable(headers), ":status": 200, "content-type": CONTENT_TYPE }, { waitForTrailers: true });
  stream.once("wantTrailers", () => answer.sendTrailers({ "grpc-status": GrpcStatus.UNKNOWN, ...sendable(body.trailers ?? {}) }));
  stream.on("drain", () => body.resume());
  stream.once("close", () => body.abandon(new Error("the caller left before the answer was complete")));
  body.attach({
    data: (message) => {
      const frame = Buffer.alloc(5 + message.length);
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      if (!stream.write(frame)) body.pause();
    },
    end: () => void stream.end(),
    fail: () => stream.close(INTERNAL_ERROR),
  });
}

function writePlain(answer: CallAnswer, stream: ServerHttp2Stream, { status, headers, body }: MeshResponse): void {
  answer.respond({ ...sendable(headers), ":status": status });
  stream.on("drain", () => body.resume());
  stream.once("close", () => body.abandon(new Error("the caller left before the answer was complete")));
  body.attach({
    data: (chunk) => {
      if (!stream.write(chunk)) body.pause();
    },
    end: () => void stream.end(),
    fail: () => stream.close(INTERNAL_ERROR),
  });
}

function sendable(headers: HeaderMap): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  for (const name in headers) if (headers[name] !== undefined && !NOT_SENT.has(name)) fields[name] = headers[name];
  return fields;
}
