import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { systemClock, TransportFailure } from "@heddle/core";

/** The alerts of RFC 8446 6.2, by number: OpenSSL's own words for them change with its versions. */
const ALERTS: ReadonlyMap<number, string> = new Map([
  [10, "unexpected message"],
  [20, "bad record mac"],
  [40, "handshake failure"],
  [42, "bad certificate"],
  [43, "unsupported certificate"],
  [44, "certificate revoked"],
  [45, "certificate expired"],
  [46, "certificate unknown"],
  [47, "illegal parameter"],
  [48, "unknown ca"],
  [49, "access denied"],
  [50, "decode error"],
  [51, "decrypt error"],
  [70, "protocol version"],
  [71, "insufficient security"],
  [80, "internal error"],
  [112, "unrecognized name"],
  [116, "certificate required"],
  [120, "no application protocol"],
]);

/** Those that a server sends about the certificate of its client; 51, too, where it was signed by another key than its issuer's. */
const ABOUT_OUR_CERTIFICATE: ReadonlySet<number> = new Set([42, 43, 44, 45, 46, 48, 49, 51, 116]);

/** What OpenSSL says of a peer that does not speak TLS at all. */
const NOT_TLS: ReadonlySet<unknown> = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_RECORD_LENGTH_MISMATCH",
  "ERR_SSL_UNKNOWN_PROTOCOL",
  "ERR_SSL_UNEXPECTED_MESSAGE",
]);

/** A server that closes so soon after the handshake, and says nothing, closes because of it. */
const RIGHT_AFTER_MS = 2_000;

interface Handshaken {
  readonly at: number;
  /** What this process showed of itself. */
  readonly ours: X509Certificate | undefined;
  /** The first that came later. Node ends the connection behind it, and whoever owns the socket may remember only that. */
  alert: number | null;
}

const handshakes = new WeakMap<Socket, Handshaken>();

/** Of a socket that is gone nobody can ask what was shown on it. */
export function rememberHandshake(socket: TLSSocket): void {
  const handshaken: Handshaken = { at: systemClock.now(), ours: socket.getX509Certificate(), alert: null };
  socket.on("error", (error) => {
    handshaken.alert ??= alertOf(error);
  });
  handshakes.set(socket, handshaken);
}

/** An error before the end of a handshake, with the side that refused. */
export function inHandshakeWords(error: Error): Error {
  const alert = alertOf(error);
  const { code } = error as { code?: unknown };
  if (alert !== null) return new Error(alertWords(alert, ""), { cause: error });
  if (NOT_TLS.has(code))
    return new Error("the server answered the TLS handshake with something that is not TLS; does it speak plain text?", { cause: error });
  if (code === "ECONNRESET")
    return new Error("the server closed the connection during the TLS handshake, as one may that refuses a client's certificate", {
      cause: error,
    });
  // undici has rules of its own for Node's code of a wrong host name.
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new Error(`this process refused the server's certificate: ${error.message}`, { cause: error });
  return error;
}

/**
 * What broke a TLS connection before a byte of any answer; null where the handshake has nothing to do with it. In TLS 1.3 a client is
 * done before its server has looked at its certificate, so that a refusal arrives when the request has been written. A server that says
 * so in an alert has read nothing of the request.
 */
export function failureOfHandshake(socket: Socket | null, error: unknown, wasSent: boolean): TransportFailure | null {
  const handshaken = socket === null ? undefined : handshakes.get(socket);
  if (handshaken === undefined || socket?.bytesRead !== 0) return null;
  const { alert } = handshaken;
  if (alert !== null) return new TransportFailure("connect-failure", alertWords(alert, `: ${oursWords(handshaken)}`), { cause: error });
  if (systemClock.now() - handshaken.at > RIGHT_AFTER_MS || !wasClosed(socket)) return null;
  const message = `the server closed the connection right after the TLS handshake, which is how a server refuses a client's certificate: ${oursWords(handshaken)}`;
  return new TransportFailure(wasSent ? "reset" : "connect-failure", message, { cause: error });
}

/** By the server, and not by this process. */
function wasClosed(socket: Socket): boolean {
  return socket.readableEnded || (socket.errored !== null && "syscall" in socket.errored);
}

function oursWords({ ours }: Handshaken): string {
  if (ours === undefined) return "this process showed none";
  const id = ours.subjectAltName?.split(", ").find((name) => name.startsWith("URI:"));
  return `ours is ${id?.slice("URI:".length) ?? (ours.subject || "without a name")}, until ${ours.validToDate.toISOString()}`;
}

function alertOf(error: unknown): number | null {
  const number = error instanceof Error ? /SSL alert number (\d+)/.exec(error.message)?.[1] : undefined;
  return number === undefined ? null : Number(number);
}

function alertWords(alert: number, ours: string): string {
  const name = `TLS alert ${ALERTS.get(alert) ?? alert}`;
  return ABOUT_OUR_CERTIFICATE.has(alert)
    ? `the server refused the certificate of this process (${name})${ours}`
    : `the server refused the TLS connection (${name})`;
}
