import { constants } from "node:http2";
import { MeshError, TransportFailure } from "@heddle/core";
import { transportFailure } from "./transport-failure.ts";

/** What is known of a stream that is over before its answer was complete. */
export interface BrokenStream {
  /** As the peer, or Node, closed it. */
  readonly code: number;
  /** What was thrown at the stream; null: it was closed without. */
  readonly error: Error | null;
  /** The head of the answer had come: whatever is said now, the request was acted on. */
  readonly hadHead: boolean;
  /** Its number was above what the peer's GOAWAY said it looks at, or its head was never written. */
  readonly wasIgnored: boolean;
}

/** Codes of RFC 9113 7 that speak of the protocol and not of this request. */
const OF_THE_PROTOCOL: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
  constants.NGHTTP2_INADEQUATE_SECURITY,
  constants.NGHTTP2_HTTP_1_1_REQUIRED,
]);

export function isOfTheProtocol(code: number): boolean {
  return OF_THE_PROTOCOL.has(code);
}

/** Whatever else ends a stream (INTERNAL_ERROR, CANCEL, a connection that breaks) is what a broken connection is in HTTP/1.1. */
export function streamFailure({ code, error, hadHead, wasIgnored }: BrokenStream): unknown {
  // What destroyed the channel says so itself.
  if (error instanceof MeshError || error instanceof TransportFailure) return error;
  const options = error === null ? {} : { cause: error };
  if (!hadHead && wasIgnored)
    return new TransportFailure("refused-stream", "the server closes the connection (GOAWAY) and did not process the request", options);
  if (!hadHead && code === constants.NGHTTP2_REFUSED_STREAM)
    return new TransportFailure("refused-stream", "the server did not process the request (REFUSED_STREAM)", options);
  if (error !== null && !isOfTheStream(error)) return sessionFailure(error);
  const kind = isOfTheProtocol(code) ? "protocol-error" : "reset";
  return new TransportFailure(kind, closedWords(code), options);
}

/** An error of the whole connection; of the socket, it is what it is in HTTP/1.1. */
export function sessionFailure(error: Error): unknown {
  const code = codeOf(error);
  if (code === "ERR_HTTP2_ERROR")
    return new TransportFailure("protocol-error", `not HTTP/2: ${error.message}; does the server speak HTTP/1.1?`, { cause: error });
  if (code === "ERR_HTTP2_SESSION_ERROR") {
    const number = Number(/code (\d+)/.exec(error.message)?.[1] ?? 0);
    const kind = OF_THE_PROTOCOL.has(number) ? "protocol-error" : "reset";
    return new TransportFailure(kind, `the server closed the connection (GOAWAY ${nameOf(number)})`, { cause: error });
  }
  return transportFailure(error, true, true);
}

function closedWords(code: number): string {
  // Node says so, too, of every stream of a connection that ends.
  if (code === constants.NGHTTP2_CANCEL) return "the connection ended, or the server reset the stream (CANCEL)";
  if (code === constants.NGHTTP2_NO_ERROR) return "the server ended the stream before its answer was complete";
  return `the server reset the stream (${nameOf(code)})`;
}

const NAMES: ReadonlyMap<number, string> = new Map(
  [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
  ].map((name, code) => [code, name]),
);

/** As RFC 9113 names the code. */
export function nameOf(code: number): string {
  return NAMES.get(code) ?? `code ${code}`;
}

function isOfTheStream(error: Error): boolean {
  return codeOf(error) === "ERR_HTTP2_STREAM_ERROR";
}

function codeOf(error: Error): unknown {
  return (error as { code?: unknown }).code;
}
