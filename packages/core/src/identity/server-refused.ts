import type { PeerCertificate, TLSSocket } from "node:tls";
import { moment, quoted } from "./names/reading.ts";

/** This side does not take the server for who it has to be. */
export class ServerRefused extends Error {
  override readonly name = "ServerRefused";

  constructor(reason: string, options?: ErrorOptions) {
    super(`this side refused the server: ${reason}`, options);
  }
}

/**
 * Asks as soon as both sides have spoken, before Node does: of a connection that Node refuses, nobody can ask who was there. What it
 * returns is for `ClientTls.watch`.
 */
export function refusalSeen(socket: TLSSocket, refusal: () => Error | null): (error: Error) => Error | null {
  let seen: Error | null = null;
  let met = "";
  socket.prependOnceListener("secure", () => {
    try {
      met = presentedWords(socket.getPeerCertificate());
      seen = refusal();
    } catch (error) {
      // Thrown here it would end the process; what cannot be decided is asked again before the connection is used, and throws there.
      seen = error as Error;
    }
  });
  return (error) => {
    if (seen !== null) return seen;
    // Set by Node where its own verdict is what broke the connection.
    const isVerdict = Boolean(socket.authorizationError) && !(error instanceof ServerRefused);
    return isVerdict ? new ServerRefused(`${error.message}; ${met}`, { cause: error }) : null;
  };
}

/** What a server presented, as it says itself: nothing of it is verified. */
export function presentedWords({ raw, subjectaltname, issuer, valid_to }: PeerCertificate): string {
  if (raw === undefined) return "it presented no certificate";
  const until = Date.parse(valid_to);
  const life = Number.isNaN(until) ? "" : `, valid until ${moment(until)}`;
  const names = subjectaltname === undefined ? "nothing" : quoted(subjectaltname);
  return `its certificate names ${names}, issued by ${quoted(String(issuer?.CN ?? issuer?.O ?? ""))}${life}`;
}

/** On a resumed session Node asks nobody who the server is, and shows no certificate. */
export function sessionProblem(socket: TLSSocket): string | null {
  return socket.isSessionReused() ? "it resumed a session, in which nobody proves who they are" : null;
}

/** What Node found out itself, once it has. Nothing that it refuses is let through, whatever was found here. */
export function opensslRefusal(socket: TLSSocket): ServerRefused | null {
  return socket.authorized ? null : new ServerRefused(`OpenSSL did not verify it: ${String(socket.authorizationError)}`);
}
