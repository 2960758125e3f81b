import { MeshError, TransportFailure } from "@heddle/core";
import { errors } from "undici";

/** What undici says when the request itself cannot be sent as it is: the caller's mistake, not the endpoint's failure. */
const CALLERS_MISTAKES: ReadonlySet<unknown> = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
]);

/** The first bytes of an alert, whichever version. */
const TLS_ALERT = "\u0015\u0003";

/** llhttp's words for a message that the end of the connection cut short; undici loses its code. */
const CUT_SHORT = "Invalid EOF state";

/**
 * How an error of undici or of the socket is called here. `wasSent`: part of the request may have been written; `hadHead`: the head of
 * an answer came.
 */
export function transportFailure(error: unknown, wasSent: boolean, hadHead: boolean): unknown {
  const code = codeOf(error);
  // What destroyed the channel says so itself.
  if (error instanceof MeshError || error instanceof TransportFailure || error instanceof TypeError || CALLERS_MISTAKES.has(code))
    return error;
  if (!wasSent) return new TransportFailure("connect-failure", messageOf(error), { cause: error });
  return new TransportFailure(isNotTheProtocol(error, hadHead) ? "protocol-error" : "reset", messageOf(error), { cause: error });
}

function isNotTheProtocol(error: unknown, hadHead: boolean): boolean {
  if (error instanceof errors.HTTPParserError) return !error.message.includes(CUT_SHORT);
  if (error instanceof errors.HeadersOverflowError) return true;
  // Of a body it says that it was cut short. A head with a length that does not parse gets the same words.
  if (error instanceof errors.ResponseContentLengthMismatchError) return !hadHead;
  // How undici meets a 101 that does not say what it switches to.
  if (codeOf(error) === "ERR_ASSERTION") return true;
  // undici has one class for a broken connection and for `bad response` and `bad upgrade`.
  return error instanceof errors.SocketError && error.message.startsWith("bad ");
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
}

/** An AggregateError of several addresses tried has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  if (error instanceof errors.HTTPParserError && isOfTls(error)) return "the server answered in TLS; it was called in plain text";
  return error instanceof Error ? error.message : String(error);
}

function isOfTls(error: object): boolean {
  const { data } = error as { data?: unknown };
  return typeof data === "string" && data.startsWith(TLS_ALERT);
}
