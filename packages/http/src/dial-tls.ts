import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { ClientTls } from "@heddle/core";
import { startConnectTimer } from "./connect-timer.ts";
import { ConnectTimeout, type Dial, type Dialled, parseAddress, READ_BUFFER_BYTES, TCP_KEEP_ALIVE_MS } from "./dial.ts";
import { inHandshakeWords, rememberHandshake } from "./tls-failure.ts";

/** What is spoken within, as ALPN calls it: nothing else is offered, and for HTTP/2 nothing else is taken. */
export type ApplicationProtocol = "http/1.1" | "h2";

/**
 * A dialler of one address that shakes hands, and hands out only sockets whose peer is who it has to be. The timeout is exact, and of
 * connection and handshake together. No session is ever resumed: a resumed one skips the check of who the peer is.
 */
export function tlsDialer(address: string, tls: ClientTls, protocol: ApplicationProtocol, connectTimeoutMs: () => number): Dial {
  const place = parseAddress(address);
  const fixed = { ...place, highWaterMark: READ_BUFFER_BYTES, ALPNProtocols: [protocol], autoSelectFamily: true };
  return (done, authority) => {
    let socket: TLSSocket;
    try {
      socket = connect({ ...tls.connectOptions(authority), ...fixed } as ConnectionOptions);
    } catch (error) {
      // Not before this returns: who dials does not expect an answer while it asks.
      queueMicrotask(() => done(error as Error, null));
      return null;
    }
    const refusalSeen = tls.watch(socket, authority);
    const refusal = () => refusalOf(socket, tls, protocol, authority);
    whenShaken(socket, { address, timeoutMs: connectTimeoutMs(), refusal, refusalSeen }, done);
    return socket;
  };
}

interface Handshake {
  readonly address: string;
  readonly timeoutMs: number;
  refusal(): Error | null;
  refusalSeen(error: Error): Error | null;
}

/** The socket's own timeout would begin anew with each step of the handshake. */
function whenShaken(socket: TLSSocket, { address, timeoutMs, refusal, refusalSeen }: Handshake, done: Dialled): void {
  const stopTimer = startConnectTimer(timeoutMs, () => socket.destroy(new ConnectTimeout(timeoutWords(socket, address, timeoutMs))));
  const stop = () => {
    stopTimer();
    socket.off("secureConnect", onSecure);
    socket.off("close", stop);
  };
  const onError = (error: Error) => {
    stop();
    done(refusalSeen(error) ?? inHandshakeWords(error), null);
  };
  const onSecure = () => {
    const refused = refusal();
    if (refused) {
      socket.destroy(refused);
      return;
    }
    stop();
    socket.off("error", onError);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    rememberHandshake(socket);
    done(null, socket as Socket);
  };
  socket.once("secureConnect", onSecure);
  socket.once("error", onError);
  socket.once("close", stop);
}

function refusalOf(socket: TLSSocket, tls: ClientTls, protocol: ApplicationProtocol, authority: string): Error | null {
  try {
    const refused = tls.refusal(socket, authority);
    if (refused !== null || protocol === "http/1.1" || socket.alpnProtocol === protocol) return refused;
  } catch (error) {
    // What cannot be decided is not let through.
    return error as Error;
  }
  return new Error("the server did not agree to HTTP/2 in the TLS handshake (ALPN h2); is it an HTTP/1.1 server?");
}

function timeoutWords(socket: TLSSocket, address: string, timeoutMs: number): string {
  if (socket.connecting) return `no connection to ${address} within ${timeoutMs} ms`;
  return `no TLS handshake with ${address} within ${timeoutMs} ms: it took the connection, and the handshake did not end`;
}
