import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContextOptions, TLSSocket } from "node:tls";
import type { ClientTls, ServerTls, ServerTlsVerdict } from "@heddle/core";

/** What became of a handshake on each side. `answer`: what the server wrote, once it had accepted. */
export interface Handshake {
  readonly client: { readonly accepted: boolean; readonly error: Error | null; readonly protocol: string | null };
  readonly server: ServerTlsVerdict | { readonly error: Error };
}

export interface Listening {
  readonly port: number;
  readonly verdicts: (ServerTlsVerdict | { readonly error: Error })[];
  close(): Promise<void>;
}

/** A listener as @heddle/http has them: its own TLSSocket on each raw connection, verified in `secure`. */
export async function listen(tls: ServerTls): Promise<Listening> {
  const verdicts: Listening["verdicts"] = [];
  const raws = new Set<Socket>();
  const server = createServer((raw) => {
    raws.add(raw);
    raw.on("error", () => {});
    const socket = new TLSSocket(raw, tls.socketOptions());
    socket.on("error", (error) => {
      verdicts.push({ error });
      raw.destroy();
    });
    socket.on("secure", () => {
      const verdict = tls.verify(socket);
      verdicts.push(verdict);
      if ("refused" in verdict) socket.destroy();
      else socket.end("hello");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    verdicts,
    async close() {
      for (const raw of raws) raw.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A server of others: whatever it has in its context, it asks nobody for a certificate. */
export async function listenPlainly(context: SecureContextOptions, more: { readonly alpn?: readonly string[] } = {}): Promise<Listening> {
  return listen({
    mode: () => "permissive",
    socketOptions: () => ({
      isServer: true,
      secureContext: createSecureContext(context),
      ...(more.alpn && { ALPNProtocols: [...more.alpn] }),
    }),
    verify: () => ({ peer: null }),
    refused() {},
  });
}

/** Connects as a transport does: options, watch, refusal, and only then reads. */
export async function connect(tls: ClientTls, port: number, authority = "web.example"): Promise<Handshake["client"]> {
  const socket = connectTls({ socket: connectTcp(port, "127.0.0.1"), ...tls.connectOptions(authority) });
  const refusalSeen = tls.watch(socket, authority);
  let refusal: Error | null = null;
  let accepted = false;
  let protocol: string | null = null;
  let said = "";
  socket.on("secureConnect", () => {
    protocol = socket.getProtocol();
    refusal = tls.refusal(socket, authority);
    if (refusal) socket.destroy();
    else
      socket.on("data", (chunk) => {
        said += String(chunk);
      });
  });
  const failed = new Promise<Error | null>((resolve) => {
    socket.on("error", (error) => resolve(refusalSeen() ?? error));
    socket.on("close", () => resolve(null));
  });
  const error = (await failed) ?? refusal;
  accepted = error === null && said === "hello";
  return { accepted, error: error ?? (accepted ? null : new Error("the server closed the connection")), protocol };
}

export async function shake(client: ClientTls, server: ServerTls, authority?: string): Promise<Handshake> {
  const listening = await listen(server);
  try {
    const result = await connect(client, listening.port, authority);
    // The server's side may be done a moment later.
    for (let turn = 0; listening.verdicts.length === 0 && turn < 500; turn++) await new Promise((next) => setTimeout(next, 10));
    return { client: result, server: listening.verdicts[0] ?? { error: new Error("the server saw no handshake") } };
  } finally {
    await listening.close();
  }
}
