import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { AdmittedPeer, InboundConnection } from "@heddle/core";

/** The connections that requests come by. Each is described once, for as long as its socket lives. */
export class NodeConnections {
  readonly #known = new WeakMap<Duplex, InboundConnection>();

  readonly #upgraded = new WeakSet<Duplex>();

  /** HTTP has let go of it, or will where the stack lets it. */
  upgraded(socket: Duplex): void {
    this.#upgraded.add(socket);
  }

  isUpgraded(socket: Duplex): boolean {
    return this.#upgraded.has(socket);
  }

  /** TLS that the mesh itself made, whose peer was verified. */
  secured(socket: TLSSocket, { peer, isCurrent, doubt }: AdmittedPeer): void {
    const sni = typeof socket.servername === "string" && socket.servername !== "" ? socket.servername : null;
    this.#known.set(socket, { peer, isEncrypted: true, sni, ...addresses(socket), isCurrent, doubt });
  }

  /** Of any other socket nothing is proved, were it encrypted by others or not: to the mesh it is plain text. */
  of(socket: Duplex): InboundConnection {
    const known = this.#known.get(socket);
    if (known) return known;
    const connection = { peer: null, isEncrypted: false, sni: null, ...addresses(socket) };
    this.#known.set(socket, connection);
    return connection;
  }
}

/** The IP address of the other end; null for a unix socket. */
export function peerAddressOf(socket: Duplex): string | null {
  return plainAddress((socket as Socket).remoteAddress);
}

function addresses(socket: Duplex): Pick<InboundConnection, "peerAddress" | "localAddress" | "localPort"> {
  const { localAddress, localPort } = socket as Socket;
  return { peerAddress: peerAddressOf(socket), localAddress: plainAddress(localAddress), localPort: localPort ?? null };
}

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** IPv4 as such, though a socket for both families says it in IPv6; without the zone of a link-local address. */
function plainAddress(address: string | undefined): string | null {
  if (!address) return null;
  return MAPPED_IPV4.exec(address)?.[1] ?? address.split("%", 1)[0] ?? null;
}
