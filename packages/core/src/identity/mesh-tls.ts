import type { PeerCertificate, TLSSocket } from "node:tls";
import type { ClientTls } from "../client-tls.ts";
import type { Clock } from "../clock.ts";
import type { Backend, TlsSettings } from "../model/backend.ts";
import { alpnOf, alpnProblem } from "./alpn.ts";
import { authorityHost, serverNameOption } from "./authority-host.ts";
import { compileSpiffeIdMatcher, type SpiffeIdMatcher } from "./names/spiffe-id-matcher.ts";
import { presentedChain } from "./presented-chain.ts";
import type { SecureContexts } from "./secure-contexts.ts";
import { opensslRefusal, refusalSeen, ServerRefused, sessionProblem } from "./server-refused.ts";
import type { PeerVerdict, PeerVerifier } from "./verify-peer.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

/** What all mutual TLS of a mesh shares. */
export interface MeshTlsParts {
  readonly identity: WorkloadIdentity;
  readonly contexts: SecureContexts;
  readonly verifier: PeerVerifier;
  readonly clock: Clock;
}

/**
 * Mutual TLS towards a backend: this process proves its SPIFFE ID, and the server has to prove one that the backend expects, by the roots
 * of that ID's own trust domain. Names of hosts prove nothing here. Throws TypeError for what is no pattern of SPIFFE IDs, or none at all.
 */
export function meshTls(
  { identities, sni }: Pick<TlsSettings, "identities" | "sni">,
  protocol: Backend["protocol"],
  { identity, contexts, verifier, clock }: MeshTlsParts,
): ClientTls {
  const expected = compileAll(identities);
  const trustDomains = [...new Set(expected.map((matcher) => matcher.trustDomain))].sort();
  const alpn = alpnOf(protocol);

  const verify = (presented: readonly Uint8Array[]): PeerVerdict => {
    const { bundles } = identity.inForce();
    return verifier.verify({ presented, bundles, nowMs: clock.wallTime(), purpose: "server", expected });
  };
  const peerRefusal = (presented: readonly Uint8Array[]): ServerRefused | null => {
    try {
      const verdict = verify(presented);
      return verdict.ok ? null : new ServerRefused(verdict.reason);
    } catch (error) {
      // Our own certificate expired meanwhile. Whatever else: what cannot be decided is refused, and thrown here it would end the process.
      return new ServerRefused(error instanceof Error ? error.message : String(error), { cause: error });
    }
  };
  // To read a chain costs 220 us, a tenth of a handshake.
  const chains = new WeakMap<TLSSocket, readonly Uint8Array[]>();
  const chainOf = (socket: TLSSocket): readonly Uint8Array[] => {
    const chain = chains.get(socket) ?? presentedChain(socket.getPeerCertificate(true));
    chains.set(socket, chain);
    return chain;
  };
  /** By what this side knows itself, before Node has said what it thinks. */
  const ownRefusal = (socket: TLSSocket): ServerRefused | null => {
    const problem = sessionProblem(socket) ?? alpnProblem(socket, alpn);
    return problem === null ? peerRefusal(chainOf(socket)) : new ServerRefused(problem);
  };

  return {
    key: JSON.stringify(["mutual", [...identities].sort(), sni]),
    mode: "mutual",
    connectOptions: (authority) => ({
      secureContext: contexts.toServersOf(trustDomains),
      ...serverNameOption(sni ?? authorityHost(authority)),
      ALPNProtocols: [alpn],
      rejectUnauthorized: true,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => peerRefusal(presentedChain(certificate)) ?? undefined,
    }),
    refusal: (socket) => ownRefusal(socket) ?? opensslRefusal(socket),
    provenUntilMs: (socket) => {
      const verdict = verify(chainOf(socket));
      return verdict.ok ? verdict.peer.notAfterMs : Number.NEGATIVE_INFINITY;
    },
    watch: (socket) => refusalSeen(socket, () => ownRefusal(socket)),
  };
}

function compileAll(identities: readonly string[]): readonly SpiffeIdMatcher[] {
  if (identities.length === 0) throw new TypeError("mutual TLS without SPIFFE IDs that the server may have");
  return identities.map((pattern) => {
    const matcher = compileSpiffeIdMatcher(pattern);
    if (!matcher.ok) throw new TypeError(matcher.reason);
    return matcher.value;
  });
}
