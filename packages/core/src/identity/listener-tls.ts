import type { Clock } from "../clock.ts";
import { MeshError } from "../errors.ts";
import type { Peer } from "../inbound-request-context.ts";
import type { Problem } from "../model/problem.ts";
import type { AdmittedPeer, ServerTls, ServerTlsVerdict } from "../server-tls.ts";
import { consulServiceOf, kubernetesWorkloadOf } from "./names/workload-path.ts";
import { presentedChain } from "./presented-chain.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { SecureContexts } from "./secure-contexts.ts";
import { sessionProblem } from "./server-refused.ts";
import type { TrustBundles } from "./trust-bundles.ts";
import type { PeerVerdict, PeerVerifier, Peer as VerifiedPeer } from "./verify-peer.ts";
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
    contextOptions: () => contexts.optionsToServe(),
    verify(socket) {
      const session = sessionProblem(socket);
      if (session !== null) return { refused: session };
      const presented = presentedChain(socket.getPeerCertificate(true));
      if (presented.length === 0 && mode() === "permissive") return nobody(identity);
      return verdictOn(presented, { identity, verifier, clock });
    },
    refused: (reason, from) => log.add(reason, from),
    onChange(listener) {
      const ends = [identity.onChange(listener), identity.onExpiry(listener)];
      return () => {
        for (const end of ends) end();
      };
    },
    get refusals() {
      return log.count;
    },
  };
}

/** The peer proved nothing, so that nothing of it can be believed no longer; what this side proved to it ends with its own certificate. */
function nobody(identity: WorkloadIdentity): AdmittedPeer {
  return {
    peer: null,
    isCurrent: () => identity.isValid,
    doubt: () => ownDoubt(identity) ?? new MeshError("no_identity", "this process's certificate had ended when the request came"),
  };
}

function verdictOn(presented: readonly Uint8Array[], parts: Parts): ServerTlsVerdict {
  try {
    const verdict = verify(presented, parts);
    if (!verdict.ok) return { refused: verdict.reason };
    return { peer: peerOf(verdict.peer), isCurrent: stillBelieved(presented, parts), doubt: () => doubtOf(presented, parts) };
  } catch (error) {
    // The certificate expired during the handshake.
    if (error instanceof MeshError) return { refused: error.message };
    throw error;
  }
}

type Parts = Pick<ListenerTlsOptions, "identity" | "verifier" | "clock">;

function verify(presented: readonly Uint8Array[], { identity, verifier, clock }: Parts): PeerVerdict {
  const { bundles } = identity.inForce();
  return verifier.verify({ presented, bundles, nowMs: clock.wallTime(), purpose: "client", expected: null });
}

/**
 * Asked for each answer, and a certificate's fingerprint costs as much as all that is decided about a request: what was found good stays
 * so while the same roots are in force, from then until its path expires.
 */
function stillBelieved(presented: readonly Uint8Array[], parts: Parts): (inMs?: number) => boolean {
  let good: { readonly bundles: TrustBundles; readonly fromMs: number; readonly untilMs: number } | null = null;
  return (inMs = 0) => {
    try {
      const { bundles } = parts.identity.inForce();
      const nowMs = parts.clock.wallTime();
      if (good === null || good.bundles !== bundles || nowMs < good.fromMs || nowMs > good.untilMs) {
        const verdict = verify(presented, parts);
        good = verdict.ok ? { bundles, fromMs: nowMs, untilMs: verdict.peer.notAfterMs } : null;
      }
      return good !== null && nowMs + inMs <= good.untilMs;
    } catch {
      // Our own certificate expired: this side proves nothing any more, and nobody can be verified.
      return false;
    }
  };
}

function doubtOf(presented: readonly Uint8Array[], parts: Parts): MeshError {
  const own = ownDoubt(parts.identity);
  if (own !== null) return own;
  const verdict = verify(presented, parts);
  const why = verdict.ok ? "it was not when the request came" : verdict.reason;
  return new MeshError("mtls_required", `what its connection proved is believed no longer: ${why}`);
}

/** Why this side proves nothing any more; null: it does. */
function ownDoubt(identity: WorkloadIdentity): MeshError | null {
  try {
    identity.inForce();
    return null;
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
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
