import { createMesh, type InboundPolicy, type Mesh } from "@heddle/core";
import { httpTransport, listen } from "@heddle/http";
import { type FakeSource, fakeSource, inboundPolicyOf, serviceSnapshot } from "@heddle/testing";
import type { TestAuthority } from "@heddle/testing/authority";
import { application } from "./application.ts";
import { type PolicyCase, SERVER_ID, SERVICE } from "./cases.ts";

/** A mesh that serves as {@link SERVICE}, mutual TLS and plain text on one port, under one case at a time. */
export class OurSide {
  readonly port: number;
  readonly #mesh: Mesh;
  readonly #source: FakeSource;
  readonly #problems: string[];

  private constructor(mesh: Mesh, source: FakeSource, port: number, problems: string[]) {
    this.port = port;
    this.#mesh = mesh;
    this.#source = source;
    this.#problems = problems;
  }

  static async open(host: string, authority: TestAuthority): Promise<OurSide> {
    const problems: string[] = [];
    const source = fakeSource(snapshotUnder(null));
    const mesh = createMesh({
      service: SERVICE,
      config: source,
      transport: httpTransport(),
      identity: authority.source(SERVER_ID),
      onProblem: ({ where, message }) => problems.push(`${where}: ${message}`),
    });
    await mesh.ready();
    const { port } = await listen(mesh, application, { host });
    return new OurSide(mesh, source, port, problems);
  }

  /** Every request from now on. Throws where the mesh does not take it. */
  enforce(policy: PolicyCase): void {
    this.#source.update(snapshotUnder(policy));
    if (this.#problems.length > 0) throw new Error(`${policy.name} is not taken: ${this.#problems.join("\n")}`);
  }

  close(): Promise<void> {
    return this.#mesh.close({ limit: 0 });
  }
}

function snapshotUnder(policy: PolicyCase | null) {
  const inForce = inboundPolicyOf({ service: SERVICE, mtls: "permissive", ...(policy === null ? {} : policyOf(policy)) });
  return { ...serviceSnapshot(SERVICE, []), inboundPolicies: new Map([[SERVICE, inForce]]) };
}

function policyOf({ policies, pathNormalisation, trustedHops, jwt }: PolicyCase): Partial<InboundPolicy> {
  return { jwt, authorization: { policies, pathNormalisation, trustedHops } };
}
