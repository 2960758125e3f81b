import type { KeyObject } from "node:crypto";
import { type ParsedCertificate, parseCertificate, type SpiffeId, WorkloadCertificate } from "@heddle/core";
import { writePem } from "@heddle/spiffe";

/** A certificate with its key, right or wrong. The key is shown by no inspection. */
export class TestCertificate {
  /** Whose it is, or pretends to be. */
  readonly id: SpiffeId;
  /** DER, the leaf first, then what it presents with it. */
  readonly chain: readonly [Buffer, ...Buffer[]];
  readonly #privateKey: KeyObject;

  constructor(id: SpiffeId, chain: readonly [Buffer, ...Buffer[]], privateKey: KeyObject) {
    this.id = id;
    this.chain = chain;
    this.#privateKey = privateKey;
  }

  get privateKey(): KeyObject {
    return this.#privateKey;
  }

  /** The chain as PEM, for `cert` of node:tls. */
  get certPem(): string {
    return this.chain.map((der) => writePem("CERTIFICATE", der)).join("");
  }

  /** The key as PEM (PKCS #8), for `key` of node:tls. */
  get keyPem(): string {
    return this.#privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** As a certificate source tells it. Nothing of it is checked, so that wrong ones get as far as a handshake. */
  workload(): WorkloadCertificate {
    const [leaf, ...rest] = this.chain;
    return new WorkloadCertificate(this.id, [parsed(leaf), ...rest.map(parsed)], this.#privateKey);
  }
}

function parsed(der: Uint8Array): ParsedCertificate {
  const certificate = parseCertificate(der);
  if (!certificate.ok) throw new Error(`A certificate that was written here cannot be read: it ${certificate.reason}`);
  return certificate.value;
}
