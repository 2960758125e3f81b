import type { TLSSocket } from "node:tls";

/** This side does not take the server for who it has to be. */
export class ServerRefused extends Error {
  override readonly name = "ServerRefused";

  constructor(reason: string, options?: ErrorOptions) {
    super(`this side refused the server: ${reason}`, options);
  }
}

/** Asks as soon as both sides have spoken, before Node does: of a connection that Node refuses, nobody can ask who was there. */
export function refusalSeen(socket: TLSSocket, refusal: () => Error | null): () => Error | null {
  let seen: Error | null = null;
  socket.prependOnceListener("secure", () => {
    try {
      seen = refusal();
    } catch (error) {
      // Thrown here it would end the process; what cannot be decided is asked again before the connection is used, and throws there.
      seen = error as Error;
    }
  });
  return () => seen;
}

/** On a resumed session Node asks nobody who the server is, and shows no certificate. */
export function sessionProblem(socket: TLSSocket): string | null {
  return socket.isSessionReused() ? "it resumed a session, in which nobody proves who they are" : null;
}

/** What Node found out itself, once it has. Nothing that it refuses is let through, whatever was found here. */
export function opensslRefusal(socket: TLSSocket): ServerRefused | null {
  return socket.authorized ? null : new ServerRefused(`OpenSSL did not verify it: ${String(socket.authorizationError)}`);
}
