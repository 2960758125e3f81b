import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { NodeConnections } from "./node-connection.ts";

const socketOf = (facts: object): Duplex => Object.assign(new Duplex(), facts);
const peer = {
  spiffeId: "spiffe://shop.example/ns/shop/sa/web",
  trustDomain: "shop.example",
  namespace: "shop",
  serviceAccount: "web",
  fingerprint: "00",
};

test.each([
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::FFFF:10.1.2.3", "10.1.2.3"],
  ["10.1.2.3", "10.1.2.3"],
  ["2001:db8::1", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::ffff:0:0", "::ffff:0:0"],
  [undefined, null],
])("an address that Node gives as %s is %s", (remoteAddress, address) => {
  const socket = socketOf({ remoteAddress, localAddress: remoteAddress, localPort: 80 });
  expect(new NodeConnections().of(socket)).toMatchObject({ peerAddress: address, localAddress: address, localPort: 80 });
});

test("what others encrypted proves nothing, and is plain text", () => {
  const connection = new NodeConnections().of(socketOf({ encrypted: true, authorized: true, servername: "reviews" }));
  expect(connection).toEqual({ peer: null, isEncrypted: false, sni: null, peerAddress: null, localAddress: null, localPort: null });
});

test.each([
  ["reviews", "reviews"],
  [false, null],
  ["", null],
])("of a server name given as %j, %j is known", (servername, sni) => {
  const connections = new NodeConnections();
  const socket = socketOf({ encrypted: true, servername }) as TLSSocket;
  connections.secured(socket, { peer, isCurrent: () => true });
  expect(connections.of(socket)).toMatchObject({ peer, isEncrypted: true, sni });
  expect(connections.of(socket)).toBe(connections.of(socket));
});
