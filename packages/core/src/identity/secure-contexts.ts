import { constants, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { MeshError } from "../errors.ts";
import { pemOf } from "./pem.ts";
import type { TrustBundle } from "./trust-bundles.ts";
import type { IdentityInForce, WorkloadIdentity } from "./workload-identity.ts";

/**
 * Of every handshake of the mesh. No tickets: on a resumed session Node asks nobody who the peer is, and shows no certificate of it. The
 * bounds are said because flags of the process move the defaults.
 */
export const PROTOCOL_BOUNDS: SecureContextOptions = Object.freeze({
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  // Nor is a handshake repeated: who was verified stays who it is.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
});

/** Sets of trust domains that a configuration expects; far more are a mistake, and contexts hold 30 kB each. */
const MAX_CONTEXTS = 200;

/**
 * The secure contexts of the identity in force, each made on first use (3 ms) and shared by everything that needs the same: one for
 * each set of trust domains that servers are expected of, and one to serve with. Those of a former certificate or former roots are dropped
 * as a whole.
 */
export class SecureContexts {
  readonly #identity: WorkloadIdentity;
  readonly #contexts = new Map<string, SecureContext>();
  #generation = 0;

  constructor(identity: WorkloadIdentity) {
    this.#identity = identity;
  }

  /** Contexts that are held now. */
  get count(): number {
    return this.#contexts.size;
  }

  /** To connect with: believes the roots of these trust domains and no others. */
  toServersOf(trustDomains: readonly string[]): SecureContext {
    const wanted = [...new Set(trustDomains)].sort();
    return this.#context(`to ${wanted.join(" ")}`, ({ bundles, certificate }) => {
      const trusted = wanted.flatMap((trustDomain) => bundles.byTrustDomain.get(trustDomain) ?? []);
      if (trusted.length > 0) return trusted;
      const known = [...bundles.byTrustDomain.keys()].join(", ") || "none";
      const what = `no roots of ${wanted.join(" or ")} to verify a server by; ${this.#identity.sourceName} gives ${certificate.id.text} those of ${known}`;
      throw new MeshError("no_identity", what);
    });
  }

  /**
   * To serve with. Node takes one list of roots before it knows the peer: all of them, which is for the handshake alone. Whoever asks has
   * to verify the peer by the roots of its own trust domain.
   */
  toServe(): SecureContext {
    return this.#context("serve", ({ bundles }) => [...bundles.byTrustDomain.values()]);
  }

  /** What {@link toServe} is made of, for a server that makes contexts itself. The key is in it. */
  optionsToServe(): SecureContextOptions {
    const inForce = this.#identity.inForce();
    this.#checkKey(inForce);
    return contextOptions(inForce, [...inForce.bundles.byTrustDomain.values()]);
  }

  #context(key: string, trusted: (inForce: IdentityInForce) => readonly TrustBundle[]): SecureContext {
    const inForce = this.#identity.inForce();
    if (inForce.generation !== this.#generation) this.#contexts.clear();
    this.#generation = inForce.generation;
    const known = this.#contexts.get(key);
    if (known) return known;
    this.#checkKey(inForce);
    const made = makeContext(inForce, trusted(inForce));
    this.#contexts.set(key, made);
    if (this.#contexts.size > MAX_CONTEXTS) for (const [oldest] of this.#contexts) if (this.#contexts.delete(oldest)) break;
    return made;
  }

  /** Sources refuse such a pair themselves; of one that did not, OpenSSL would say numbers. */
  #checkKey({ certificate: { chain, privateKey, id } }: IdentityInForce): void {
    const [leaf] = chain;
    if (leaf !== undefined && new X509Certificate(leaf).checkPrivateKey(privateKey)) return;
    throw new MeshError(
      "no_identity",
      `${this.#identity.sourceName} gives for ${id.text} a certificate and the key of another one, with which nothing can be proved; expected the two that belong together`,
    );
  }
}

function makeContext(inForce: IdentityInForce, trusted: readonly TrustBundle[]): SecureContext {
  return createSecureContext(contextOptions(inForce, trusted));
}

function contextOptions({ certificate }: IdentityInForce, trusted: readonly TrustBundle[]): SecureContextOptions {
  return {
    ...PROTOCOL_BOUNDS,
    cert: certificate.chain.map((der) => pemOf("CERTIFICATE", der)).join(""),
    key: certificate.privateKey.export({ format: "pem", type: "pkcs8" }),
    // Never absent: Node would take the roots of browsers instead.
    ca: trusted.flatMap(({ roots }) => roots.map((root) => pemOf("CERTIFICATE", root.der))),
    // SPIFFE allows authorities in a bundle that are not self-signed; without this OpenSSL wants their issuer too.
    allowPartialTrustChain: true,
  };
}
