import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, createSecureContext, type SecureContextOptions, TLSSocket } from "node:tls";
import type { ClientTls } from "../../packages/core/src/client-tls.ts";
import type { ServerTls, ServerTlsVerdict } from "../../packages/core/src/server-tls.ts";

/** What a server found of a connection, or how its handshake broke. */
export type Found = ServerTlsVerdict | { readonly broken: string };

export interface Listening {
  readonly port: number;
  /** Of the next connection that was not asked for yet. */
  found(): Promise<Found>;
  close(): Promise<void>;
}

/** A listener as @heddle/http has them: its own TLSSocket on each connection, verified in `secure`. Says hello to those it takes. */
export async function listen(tls: Pick<ServerTls, "socketOptions" | "verify">): Promise<Listening> {
  const found: Found[] = [];
  const waiting: ((found: Found) => void)[] = [];
  const raws = new Set<Socket>();
  const tell = (what: Found) => {
    const first = waiting.shift();
    if (first) first(what);
    else found.push(what);
  };
  const server = createServer((raw) => {
    raws.add(raw);
    raw.on("error", () => {});
    const socket = new TLSSocket(raw, tls.socketOptions());
    let isComplete = false;
    socket.on("error", (error) => {
      if (!isComplete) tell({ broken: error.message });
      isComplete = true;
      raw.destroy();
    });
    socket.on("close", () => {
      if (!isComplete) tell({ broken: "the client left in the middle of the handshake" });
    });
    socket.on("secure", () => {
      isComplete = true;
      const verdict = tls.verify(socket);
      tell(verdict);
      if ("refused" in verdict) socket.destroy();
      else socket.end("hello");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    found: () => {
      const first = found.shift();
      return first ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
    async close() {
      for (const raw of raws) raw.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A server of others, which may present anything, and takes everybody. */
export function listenPlainly(context: SecureContextOptions, alpn: readonly string[] | null = null): Promise<Listening> {
  const secureContext = createSecureContext(context);
  return listen({
    socketOptions: () => ({ isServer: true, secureContext, ...(alpn && { ALPNProtocols: [...alpn] }) }),
    verify: () => ({ peer: null, isCurrent: () => true }),
  });
}

export interface Met {
  /** What the server said: hello, if it took this side. */
  readonly said: string;
  /** Why this side refused, or how the connection broke. */
  readonly error: Error | null;
  readonly protocol: string | null;
}

/** Connects as a transport does: options, watch, refusal, and only then reads. `other` overrides what is given to `tls.connect`. */
export async function connect(tls: ClientTls, port: number, other: ConnectionOptions = {}, authority = "web.example"): Promise<Met> {
  const socket = connectTls({ ...tls.connectOptions(authority), ...other, socket: connectTcp(port, "127.0.0.1") });
  const refusalSeen = tls.watch(socket, authority);
  let error: Error | null = null;
  let said = "";
  let protocol: string | null = null;
  socket.on("secureConnect", () => {
    protocol = socket.getProtocol();
    error = tls.refusal(socket, authority);
    if (error) socket.destroy();
    else socket.on("data", (chunk) => (said += String(chunk)));
  });
  socket.on("error", (broken) => {
    error ??= refusalSeen(broken) ?? broken;
  });
  await new Promise((closed) => socket.once("close", closed));
  return { said, error, protocol };
}

/** A client of others, which may present anything, and believes everybody. */
export async function connectPlainly(
  port: number,
  options: ConnectionOptions,
): Promise<Met & { readonly isReused: boolean; readonly session: Buffer | null }> {
  const socket = connectTls({ rejectUnauthorized: false, ...options, socket: connectTcp(port, "127.0.0.1") });
  let error: Error | null = null;
  let said = "";
  let protocol: string | null = null;
  let isReused = false;
  let session: Buffer | null = null;
  socket.on("session", (given) => {
    session = given;
  });
  socket.on("secureConnect", () => {
    protocol = socket.getProtocol();
    isReused = socket.isSessionReused();
    session ??= socket.getSession() ?? null;
    socket.on("data", (chunk) => (said += String(chunk)));
  });
  socket.on("error", (broken) => {
    error = broken;
  });
  await new Promise((closed) => socket.once("close", closed));
  return { said, error, protocol, isReused, session };
}

/** One connection between the two, from both sides. */
export async function shake(client: ClientTls, server: ServerTls): Promise<{ readonly client: Met; readonly server: Found }> {
  const listening = await listen(server);
  try {
    const [met, found] = await Promise.all([connect(client, listening.port), listening.found()]);
    return { client: met, server: found };
  } finally {
    await listening.close();
  }
}
