import { connect, type LookupFunction, type NetConnectOpts, type Socket } from "node:net";
import { systemClock } from "@heddle/core";

/** Told the connected socket, or why there is none. */
export type Dialled = (error: Error | null, socket: Socket | null) => void;

/**
 * Opens one connection, for a request to `authority`; the socket is returned at once so that the attempt can be given up. null: there is
 * none, which is told later all the same.
 */
export type Dial = (done: Dialled, authority: string) => Socket | null;

const UNIX = "unix:";
/** As large as undici's own: fewer wake-ups for large bodies. */
export const READ_BUFFER_BYTES: number = 64 * 1024;
export const TCP_KEEP_ALIVE_MS = 60_000;
/** A timeout noticed so late was late because the event loop was blocked ... */
export const LATE_MS = 100;
/** ... and then a connection may stand that has not been noticed either: timers run before sockets are looked at. */
export const GRACE_MS = 100;
/** A block that ended just now cannot be told by its lateness: sockets are always looked at once more. */
export const ONE_TURN_MS = 2;

/** Where `host:port`, `[v6]:port` or `unix:/path` is. Throws TypeError for anything else. */
export function parseAddress(address: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith(UNIX)) {
    const path = address.slice(UNIX.length);
    if (path !== "") return { path };
  } else {
    const colon = address.lastIndexOf(":");
    const digits = address.slice(colon + 1);
    const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
    const name = address.slice(0, Math.max(0, colon));
    const host = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
    if (host !== "" && port > 0 && port < 65_536) return { host, port };
  }
  throw new TypeError(`address ${JSON.stringify(address)} must be host:port, [v6]:port or unix:/path`);
}

/**
 * A dialler of one address. The timeout, asked for each connection, is exact, where undici's connector would be up to a second late.
 * A name with several addresses is tried at one after the other, whatever the process's default is. `lookup` default: `dns.lookup`.
 */
export function dialer(address: string, connectTimeoutMs: () => number, lookup?: LookupFunction): (done: Dialled) => Socket {
  const streamOptions = { highWaterMark: READ_BUFFER_BYTES };
  const options: NetConnectOpts = {
    ...parseAddress(address),
    ...streamOptions,
    ...(lookup && { lookup }),
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  };
  return (done) => {
    const socket = connect(options);
    const timeoutMs = connectTimeoutMs();
    const lateAt = systemClock.now() + timeoutMs + LATE_MS;
    const giveUp = () => socket.destroy(new ConnectTimeout(`no connection to ${address} within ${timeoutMs} ms`));
    const onTimeout = () => socket.setTimeout(systemClock.now() > lateAt ? GRACE_MS : ONE_TURN_MS, giveUp);
    const onError = (error: Error) => {
      socket.off("connect", onConnect);
      done(error, null);
    };
    const onConnect = () => {
      socket.off("error", onError);
      socket.off("timeout", onTimeout).off("timeout", giveUp);
      socket.setTimeout(0);
      done(null, socket);
    };
    socket.once("connect", onConnect);
    socket.once("error", onError);
    socket.setTimeout(timeoutMs, onTimeout);
    return socket;
  };
}

export class ConnectTimeout extends Error {
  readonly code = "ETIMEDOUT";
}
