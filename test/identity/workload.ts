import type { ClientTls } from "../../packages/core/src/client-tls.ts";
import { systemClock } from "../../packages/core/src/clock.ts";
import { certificateFromDer } from "../../packages/core/src/identity/certificate.ts";
import type { CertificateListener, CertificateSource, CertificateState } from "../../packages/core/src/identity/certificate-source.ts";
import { listenerTls } from "../../packages/core/src/identity/listener-tls.ts";
import { meshTls } from "../../packages/core/src/identity/mesh-tls.ts";
import { SecureContexts } from "../../packages/core/src/identity/secure-contexts.ts";
import { readTrustBundle, trustBundles } from "../../packages/core/src/identity/trust-bundles.ts";
import { peerVerifier } from "../../packages/core/src/identity/verify-peer.ts";
import { WorkloadIdentity } from "../../packages/core/src/identity/workload-identity.ts";
import type { Problem } from "../../packages/core/src/model/problem.ts";
import { seededRandom } from "../../packages/core/src/random.ts";
import type { ServerTls } from "../../packages/core/src/server-tls.ts";
import { type CertificateWish, type IssuedCertificate, intermediate, leaf, root } from "../../packages/core/test/authority.ts";

const HOUR = 3_600_000;

/** OpenSSL has a clock of its own: certificates of real handshakes live now. */
export function aliveNow(): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  const now = Date.now();
  return { notBeforeMs: now - HOUR, notAfterMs: now + HOUR };
}

export const rootNow = (name: string, wish: CertificateWish = {}): IssuedCertificate => root(name, { ...aliveNow(), ...wish });
export const middleNow = (issuer: IssuedCertificate, name: string, wish: CertificateWish = {}): IssuedCertificate =>
  intermediate(issuer, name, { ...aliveNow(), ...wish });
export const leafNow = (issuer: IssuedCertificate, id: string, wish: CertificateWish = {}): IssuedCertificate =>
  leaf(issuer, id, { ...aliveNow(), ...wish });

export type Roots = Readonly<Record<string, readonly IssuedCertificate[]>>;

export function stateOf(chain: readonly [IssuedCertificate, ...IssuedCertificate[]], roots: Roots): CertificateState {
  const [{ privateKey }] = chain;
  const key = privateKey.export({ format: "der", type: "pkcs8" });
  const certificate = certificateFromDer({ chain: Buffer.concat(chain.map((each) => each.der)), key, from: "this test" }, Date.now());
  if (!certificate.ok) throw new Error(certificate.reason);
  return { certificate: certificate.value, bundles: bundlesOf(roots) };
}

export function bundlesOf(roots: Roots): CertificateState["bundles"] {
  const bundles = Object.entries(roots).map(([trustDomain, all]) => {
    const bundle = readTrustBundle(trustDomain, [{ text: all.map((each) => each.pem).join(""), from: trustDomain }]);
    if (!bundle.ok) throw new Error(bundle.reason);
    return bundle.value;
  });
  return trustBundles(bundles);
}

/** A certificate source in the test's hands. */
export function handCertificates(first: CertificateState | null = null): CertificateSource & CertificateListener {
  let listening: CertificateListener | null = null;
  return {
    name: "hand",
    watch(listener) {
      listening = listener;
      if (first !== null) listener.update(first);
      return () => {
        listening = null;
      };
    },
    update: (state) => listening?.update(state),
    problem: (problem) => listening?.problem(problem),
  };
}

export interface Workload {
  readonly identity: WorkloadIdentity;
  readonly contexts: SecureContexts;
  readonly problems: readonly Problem[];
  update(state: CertificateState): void;
  /** Towards servers of these identities. */
  client(identities: readonly string[], more?: { readonly protocol?: "http1" | "http2" | "grpc"; readonly sni?: string | null }): ClientTls;
  server(mode?: "strict" | "permissive", alpn?: readonly string[]): ServerTls & { readonly refusals: number };
}

/** All of a process's TLS around an identity that the test holds. */
export function workload(first: CertificateState | null): Workload {
  const source = handCertificates(first);
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const clock = systemClock;
  const identity = new WorkloadIdentity({ source, clock, random: seededRandom(1), service: "web", report });
  const parts = { identity, contexts: new SecureContexts(identity), verifier: peerVerifier(), clock };
  return {
    identity,
    contexts: parts.contexts,
    problems,
    update: (state) => source.update(state),
    client: (identities, { protocol = "http1", sni = null } = {}) => meshTls({ identities, sni }, protocol, parts),
    server: (mode = "strict", alpn) => listenerTls({ ...parts, mode: () => mode, report, ...(alpn && { alpn }) }),
  };
}
