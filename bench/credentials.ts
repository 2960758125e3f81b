import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSpiffeId } from "@heddle/core";
import { Authority, authorityFolder, createAuthorityFolder, newKeyPair, writePem } from "@heddle/spiffe";
import { CALLER, idOf, SERVICE, TRUST_DOMAIN } from "./document.ts";
import { type Credentials, credentialsFile } from "./handed-credentials.ts";

const LIFETIME_MS = 24 * 3_600_000;

/** The authority of a run: in a folder, which identity.dev reads, and in files beside it, for what has no mesh. ECDSA on P-256, as identity.dev's. */
export class BenchAuthority implements Disposable {
  readonly folder: string;
  readonly #parent: string;
  readonly #authority: Authority;

  constructor() {
    this.#parent = mkdtempSync(join(tmpdir(), "heddle-bench-ca-"));
    this.folder = join(this.#parent, "ca");
    this.#authority = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs: Date.now(), lifetimeMs: LIFETIME_MS });
    const created = createAuthorityFolder(authorityFolder(this.folder), this.#authority);
    if (!created.ok) throw new Error(created.reason);
    for (const service of [CALLER, SERVICE])
      writeFileSync(credentialsFile(this.folder, service), JSON.stringify(this.issue(service)), { mode: 0o600 });
  }

  issue(service: string): Credentials {
    const { privateKey, publicKey } = newKeyPair();
    const id = parseSpiffeId(idOf(service));
    if (!id.ok) throw new Error(id.reason);
    const issued = this.#authority.issue(publicKey, { id: id.value, nowMs: Date.now(), lifetimeMs: LIFETIME_MS });
    if (!issued.ok) throw new Error(issued.reason);
    return {
      certificate: issued.value.chain.map((der) => writePem("CERTIFICATE", der)).join(""),
      key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      roots: this.#authority.bundlePem(),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#parent, { recursive: true, force: true });
  }
}
