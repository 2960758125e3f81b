import { authenticate } from "./authorization/authenticate.ts";
import { AuthorizationCounters, type InspectedAuthorization } from "./authorization/counters.ts";
import type { OwnCalls } from "./authorization/jwks-fetch.ts";
import { type InspectedKeySet, KeySets } from "./authorization/key-sets.ts";
import type { ClientTls } from "./client-tls.ts";
import type { Clock } from "./clock.ts";
import { MeshError } from "./errors.ts";
import { AuthorityFiles } from "./identity/authority-files.ts";
import type { CertificateSource } from "./identity/certificate-source.ts";
import type { IdentityHealth } from "./identity/identity-health.ts";
import { type ListenerTls, listenerTls } from "./identity/listener-tls.ts";
import { type MeshTlsParts, meshTls } from "./identity/mesh-tls.ts";
import { NOTHING_TO_SHOW } from "./identity/nothing-to-show.ts";
import { SecureContexts } from "./identity/secure-contexts.ts";
import { simpleTls } from "./identity/simple-tls.ts";
import { type Unverifiable, unverifiableServices } from "./identity/unverifiable-services.ts";
import { peerVerifier } from "./identity/verify-peer.ts";
import { type IdentityChange, type IdentityInspection, WorkloadIdentity } from "./identity/workload-identity.ts";
import type { InboundSecurity } from "./inbound.ts";
import type { Layer } from "./layer.ts";
import type { Backend } from "./model/backend.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import type { Problem } from "./model/problem.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import type { Random } from "./random.ts";
import { callsWithoutIdentity, checkSecurity, type SecurityMeans } from "./security-checks.ts";
import type { ServerTls } from "./server-tls.ts";
import { mtlsModeOf, tlsModeOf } from "./tls-mode.ts";

export interface SecurityOptions {
  readonly service?: string | undefined;
  readonly identity?: CertificateSource | undefined;
  readonly ownCalls?: OwnCalls | undefined;
}

export interface SecurityDependencies {
  readonly clock: Clock;
  readonly random: Random;
  /** In force for the service of this process. */
  policy(): InboundPolicy | null;
  report(problem: Problem): void;
  /** A first certificate came. */
  identified(): void;
  /** Certificate or roots are others. */
  rotated(change: IdentityChange): void;
  /** The certificate ended, and there is no other. */
  expired(): void;
}

/** For people; no key material. */
export interface InspectedSecurity {
  /** null: this process has no source of identity. */
  readonly identity: IdentityInspection | null;
  /** Connections that were refused because of who came, or because nobody could tell. */
  readonly refusedConnections: number;
  readonly keySets: readonly InspectedKeySet[];
  readonly authorization: InspectedAuthorization;
}

/** What this process proves of itself, and how it holds others to what they have to prove. */
export class Security implements InboundSecurity {
  readonly counters: AuthorizationCounters = new AuthorizationCounters();
  readonly serverTls: ServerTls;
  readonly #means: SecurityMeans;
  readonly #checked = new WeakSet<Backend | InboundPolicy>();
  readonly #dependencies: SecurityDependencies;
  readonly #mutual: MeshTlsParts | null;
  readonly #listener: ListenerTls | null;
  readonly #authorities: AuthorityFiles;
  readonly #keySets: KeySets;
  readonly #ownCalls: OwnCalls | undefined;
  #backends: MeshSnapshot["backends"] = new Map();
  #unverifiable: Unverifiable | null = null;

  constructor({ service, identity, ownCalls }: SecurityOptions, dependencies: SecurityDependencies) {
    const { clock, random, report } = dependencies;
    this.#dependencies = dependencies;
    this.#ownCalls = ownCalls;
    this.#means = { service: service ?? null, hasIdentity: identity !== undefined, canFetch: ownCalls !== undefined };
    this.#authorities = new AuthorityFiles(report);
    this.#keySets = new KeySets({ clock, random, fetch: ownCalls?.fetch ?? null, report });
    this.#mutual = identity === undefined ? null : this.#watch(identity);
    this.#listener = this.#mutual === null ? null : listenerTls({ ...this.#mutual, mode: () => this.#modeInForce(), report });
    this.serverTls = this.#listener ?? WITHOUT_IDENTITY;
    this.#mutual?.identity.onFirst(() => {
      this.#compare();
      dependencies.identified();
    });
  }

  #watch(source: CertificateSource): MeshTlsParts {
    const { clock, random, report, rotated, expired } = this.#dependencies;
    const { service } = this.#means;
    const identity = new WorkloadIdentity({ source, clock, random, service, report });
    identity.onChange((change) => {
      this.#compare();
      rotated(change);
    });
    identity.onExpiry(expired);
    return { identity, contexts: new SecureContexts(identity), verifier: peerVerifier(), clock };
  }

  /** Until a first certificate came, a process that has a source of identity cannot be used. */
  get isReady(): boolean {
    return this.#mutual?.identity.isKnown ?? true;
  }

  /** What keeps this process from working, and what will. */
  health(): IdentityHealth {
    const { because, warnings } = this.#mutual?.identity.health() ?? NOTHING_WRONG;
    const mismatch = this.#unverifiable?.reason ?? null;
    return { because: mismatch === null ? because : [...because, mismatch], warnings };
  }

  /** What a configuration asks for and cannot be had here. With such a problem it is not used. */
  check(snapshot: MeshSnapshot): readonly Problem[] {
    return checkSecurity(snapshot, this.#means, this.#checked);
  }

  /** A configuration came into force: what its tokens will need is fetched before they come. */
  applied(snapshot: MeshSnapshot): void {
    this.#backends = snapshot.backends;
    this.#compare();
    if (!this.#means.hasIdentity) for (const problem of callsWithoutIdentity(snapshot)) this.#dependencies.report(problem);
    this.#keySets.prepare(this.#dependencies.policy()?.jwt ?? []);
  }

  /** Whether identity and configuration are of one mesh: said when either comes, rather than at the first call. */
  #compare(): void {
    const state = this.#mutual?.identity.latest ?? null;
    this.#unverifiable = state === null ? null : unverifiableServices(this.#backends.values(), state);
    for (const problem of this.#unverifiable?.problems ?? []) this.#dependencies.report(problem);
  }

  /** How the endpoints of a backend are spoken to; null: in plain text. */
  clientTls({ tls, protocol }: Backend): ClientTls | null {
    switch (tlsModeOf(tls, this.#means.hasIdentity)) {
      case "disable":
        return null;
      case "simple":
        return simpleTls(tls, protocol, this.#authorities);
      default:
        if (this.#mutual === null) return NOTHING_TO_SHOW;
        return meshTls(tls, protocol, this.#mutual);
    }
  }

  mtlsMode(policy: InboundPolicy): "strict" | "permissive" | "disable" {
    return mtlsModeOf(policy, this.#means.hasIdentity);
  }

  /** Nobody knows yet what will be asked for: then it is asked for most. */
  #modeInForce(): "strict" | "permissive" | "disable" {
    const policy = this.#dependencies.policy();
    return policy === null ? "strict" : this.mtlsMode(policy);
  }

  /** Whether a request has to pass the checks of a policy. Of none it is not known what they are: requests are answered 503 then. */
  guards(policy: InboundPolicy | null): boolean {
    if (policy === null) return true;
    return this.mtlsMode(policy) === "strict" || policy.jwt.length > 0 || policy.authorization !== null;
  }

  authenticate(policy: InboundPolicy): Layer {
    return authenticate({ policy: () => policy, keySets: this.#keySets, clock: this.#dependencies.clock });
  }

  inspect(): InspectedSecurity {
    return {
      identity: this.#mutual?.identity.inspect() ?? null,
      refusedConnections: this.#listener?.refusals ?? 0,
      keySets: this.#keySets.inspect(this.#dependencies.policy()?.jwt ?? []),
      authorization: this.counters.inspect(),
    };
  }

  close(): void {
    this.#mutual?.identity.close();
    this.#keySets.close();
    // What it cuts has nobody left to tell.
    this.#ownCalls?.close().catch(() => {});
  }
}

const NOTHING_WRONG: IdentityHealth = { because: [], warnings: [] };

/** Of a process that has nothing to prove with: no policy that asks for TLS comes into force in it. */
const WITHOUT_IDENTITY: ServerTls = {
  mode: () => "disable",
  socketOptions() {
    throw new MeshError("no_identity", "this process was given no identity");
  },
  contextOptions() {
    throw new MeshError("no_identity", "this process was given no identity");
  },
  verify: () => ({ refused: "this process was given no identity" }),
  refused() {},
  onChange: () => () => {},
};
