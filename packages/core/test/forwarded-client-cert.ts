import type { ForwardedPeer } from "../src/inbound-request-context.ts";

const PLAIN = /^[!#-+\--:<>-~]+$/;

/** `x-forwarded-client-cert` as a proxy writes it that quotes what has to be quoted. An element of nothing names an empty URI, as Envoy's does. */
export function forwardedClientCert(peers: readonly ForwardedPeer[]): string {
  return peers.map(element).join(",");
}

function element({ by, hash, subject, uris, dnsNames }: ForwardedPeer): string {
  const pairs: (readonly [string, string])[] = [];
  if (by !== null) pairs.push(["By", by]);
  if (hash !== null) pairs.push(["Hash", hash]);
  if (subject !== null) pairs.push(["Subject", subject]);
  for (const uri of uris) pairs.push(["URI", uri]);
  for (const name of dnsNames) pairs.push(["DNS", name]);
  return pairs.length === 0 ? "URI=" : pairs.map(([key, value]) => `${key}=${PLAIN.test(value) ? value : quoted(value)}`).join(";");
}

function quoted(value: string): string {
  return `"${value.replaceAll('"', '\\"')}"`;
}
