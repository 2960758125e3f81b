import type { Clock } from "../clock.ts";
import type { Peer } from "../inbound-request-context.ts";
import type { Problem } from "../model/problem.ts";
import type { ServerTls, ServerTlsVerdict } from "../server-tls.ts";
import { consulServiceOf, kubernetesWorkloadOf } from "./names/workload-path.ts";
import { presentedChain } from "./presented-chain.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { SecureContexts } from "./secure-contexts.ts";
import { sessionProblem } from "./server-refused.ts";
import type { PeerVerifier, Peer as VerifiedPeer } from "./verify-peer.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

export interface ListenerTlsOptions {
  readonly identity: WorkloadIdentity;
  readonly contexts: SecureContexts;
  readonly verifier: PeerVerifier;
  readonly clock: Clock;
  /** By the inbound policy in force. */
  mode(): "strict" | "permissive" | "disable";
  report(problem: Problem): void;
  /** What listeners speak. Default: http/1.1. */
  readonly alpn?: readonly string[];
}

export interface ListenerTls extends ServerTls {
  /** Connections that were refused. */
  readonly refusals: number;
}

/** TLS of what comes in: peers prove a SPIFFE ID by the roots of its own trust domain, whoever they are. */
export function listenerTls(options: ListenerTlsOptions): ListenerTls {
  const { identity, contexts, verifier, clock, mode, alpn = ["http/1.1"] } = options;
  const log = new RefusalLog(clock, options.report);
  return {
    mode,
    socketOptions: () => ({
      isServer: true,
      secureContext: contexts.toServe(),
      requestCert: true,
      // OpenSSL's verdict is by the roots of all trust domains at once, so it is not the one that counts.
      rejectUnauthorized: false,
      ALPNProtocols: [...alpn],
    }),
    verify(socket) {
      const session = sessionProblem(socket);
      if (session !== null) return { refused: session };
      const presented = presentedChain(socket.getPeerCertificate(true));
      if (presented.length === 0 && mode() === "permissive") return { peer: null };
      return verdictOn(presented, { identity, verifier, clock });
    },
    refused: (reason, from) => log.add(reason, from),
    get refusals() {
      return log.count;
    },
  };
}

function verdictOn(
  presented: readonly Uint8Array[],
  { identity, verifier, clock }: Pick<ListenerTlsOptions, "identity" | "verifier" | "clock">,
): ServerTlsVerdict {
  try {
    const { bundles } = identity.inForce();
    const verdict = verifier.verify({ presented, bundles, nowMs: clock.wallTime(), purpose: "client", expected: null });
    return verdict.ok ? { peer: peerOf(verdict.peer) } : { refused: verdict.reason };
  } catch (error) {
    // Our own certificate expired meanwhile. Whatever else: what cannot be decided is refused.
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

function peerOf({ id, fingerprint }: VerifiedPeer): Peer {
  const workload = kubernetesWorkloadOf(id);
  return {
    spiffeId: id.text,
    trustDomain: id.trustDomain,
    namespace: workload?.namespace ?? consulServiceOf(id)?.namespace ?? null,
    // What Consul names is a service, whatever account it runs under.
    serviceAccount: workload?.serviceAccount ?? null,
    fingerprint,
  };
}
