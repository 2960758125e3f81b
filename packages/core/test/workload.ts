import type { ClientTls } from "../src/client-tls.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import { certificateFromDer } from "../src/identity/certificate.ts";
import type { CertificateListener, CertificateSource, CertificateState } from "../src/identity/certificate-source.ts";
import { listenerTls } from "../src/identity/listener-tls.ts";
import { meshTls } from "../src/identity/mesh-tls.ts";
import { SecureContexts } from "../src/identity/secure-contexts.ts";
import { readTrustBundle, trustBundles } from "../src/identity/trust-bundles.ts";
import { peerVerifier } from "../src/identity/verify-peer.ts";
import { WorkloadIdentity } from "../src/identity/workload-identity.ts";
import type { Problem } from "../src/model/problem.ts";
import { seededRandom } from "../src/random.ts";
import type { ServerTls } from "../src/server-tls.ts";
import { type CertificateWish, HOUR, type IssuedCertificate, intermediate, leaf, root } from "./authority.ts";

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

export type Chain = readonly [IssuedCertificate, ...IssuedCertificate[]];

/** Leaf first. It has to be good at `nowMs`; what a source must not give cannot be made here. */
export function stateOf(chain: Chain, roots: Roots, nowMs: number = Date.now()): CertificateState {
  const [{ privateKey }] = chain;
  const key = privateKey.export({ format: "der", type: "pkcs8" });
  const certificate = certificateFromDer({ chain: Buffer.concat(chain.map((each) => each.der)), key, from: "this test" }, nowMs);
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

export interface HandCertificates extends CertificateSource, CertificateListener {
  readonly isWatched: boolean;
}

/** A certificate source in the test's hands. */
export function handCertificates(first: CertificateState | null = null): HandCertificates {
  let listening: CertificateListener | null = null;
  return {
    name: "hand",
    get isWatched() {
      return listening !== null;
    },
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
  readonly source: HandCertificates;
  readonly problems: readonly Problem[];
  /** Towards servers of these identities. */
  client(identities: readonly string[], more?: { readonly protocol?: "http1" | "http2" | "grpc"; readonly sni?: string | null }): ClientTls;
  server(mode?: "strict" | "permissive", alpn?: readonly string[]): ServerTls & { readonly refusals: number };
}

/** All of a process's TLS around an identity that the test holds. */
export function workload(first: CertificateState | null, clock: Clock = systemClock): Workload {
  const source = handCertificates(first);
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const identity = new WorkloadIdentity({ source, clock, random: seededRandom(1), service: "web", report });
  const parts = { identity, contexts: new SecureContexts(identity), verifier: peerVerifier(), clock };
  return {
    identity,
    contexts: parts.contexts,
    problems,
    source,
    client: (identities, { protocol = "http1", sni = null } = {}) => meshTls({ identities, sni }, protocol, parts),
    server: (mode = "strict", alpn) => listenerTls({ ...parts, mode: () => mode, report, ...(alpn && { alpn }) }),
  };
}
