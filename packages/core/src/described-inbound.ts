import { parseSpiffeId, type SpiffeId } from "./identity/names/spiffe-id.ts";
import { consulServiceOf, kubernetesWorkloadOf } from "./identity/names/workload-path.ts";
import type { InboundConnection } from "./inbound-connection.ts";
import type { Peer } from "./inbound-request-context.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";

/** A connection that might be made. What is left out is not known. */
export interface DescribedConnection {
  /** SPIFFE ID that the caller proves where it may; none: it came in plain text. */
  readonly peer?: string;
  /** IP address of the caller. */
  readonly peerAddress?: string;
  readonly localPort?: number;
  readonly sni?: string;
}

/** What a listener under this policy would know of it, had the peer's certificate been good. Throws TypeError for what is no SPIFFE ID. */
export function describedConnection(
  { peer, peerAddress, localPort, sni }: DescribedConnection,
  { mtls }: InboundPolicy,
  where: string,
): InboundConnection {
  const proved = peer === undefined ? null : describedPeer(peer, where);
  return {
    peer: mtls === "disable" ? null : proved,
    isEncrypted: proved !== null && mtls !== "disable",
    sni: sni ?? null,
    peerAddress: peerAddress ?? null,
    localAddress: null,
    localPort: localPort ?? null,
  };
}

/** As written: a URL parser would resolve what the service has to see, and leave out a port that its scheme implies. Throws TypeError for what is no URL. */
export function describedTarget(url: string, where: string): { readonly host: string; readonly path: string } {
  if (!URL.canParse(url)) throw new TypeError(`${where}: url: ${JSON.stringify(url)} is not a URL`);
  const [, host = "", path = "/"] = /^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]*)([^#]*)/i.exec(url) ?? [];
  return { host, path: path.startsWith("/") ? path : `/${path}` };
}

function describedPeer(text: string, where: string): Peer {
  const id = parseSpiffeId(text);
  if (!id.ok) throw new TypeError(`${where}: peer: ${id.reason}`);
  return { ...workloadOf(id.value), spiffeId: id.value.text, trustDomain: id.value.trustDomain, fingerprint: "" };
}

function workloadOf(id: SpiffeId): Pick<Peer, "namespace" | "serviceAccount"> {
  const workload = kubernetesWorkloadOf(id);
  return { namespace: workload?.namespace ?? consulServiceOf(id)?.namespace ?? null, serviceAccount: workload?.serviceAccount ?? null };
}
