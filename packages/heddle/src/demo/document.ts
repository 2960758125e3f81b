import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Instance } from "./instances.ts";

/** What steps change in the document. */
export interface Contents {
  readonly v1: number;
  readonly v2: number;
  /** Whom reviews lets in beside those it has to: names of services. */
  readonly guests?: readonly string[];
}

export const TRUST_DOMAIN = "demo.test";

const SCHEMA = new URL("../../schema/mesh.schema.json", import.meta.url);

/** The document that every process of the demo joins, in a file that is edited as an editor would: written beside it, then renamed. */
export class MeshDocument {
  readonly path: string;
  readonly folder: string;
  readonly #instances: readonly Instance[];

  constructor(folder: string, instances: readonly Instance[]) {
    this.path = join(folder, "mesh.yaml");
    this.folder = folder;
    this.#instances = instances;
  }

  text(contents: Contents): string {
    return documentText(this.#instances, contents);
  }

  write(text: string): void {
    const draft = join(this.folder, "mesh.yaml.draft");
    writeFileSync(draft, text);
    renameSync(draft, this.path);
  }
}

function endpointLines(instances: readonly Instance[], service: string): string {
  return instances
    .filter((instance) => instance.service === service)
    .map(({ port, version }) => `      - { address: "127.0.0.1:${port}"${version === null ? "" : `, labels: { version: ${version} }`} }`)
    .join("\n");
}

/** Lets these services in, and nobody else. */
function callers(...names: readonly string[]): string {
  const principals = names.map((name) => `"spiffe://${TRUST_DOMAIN}/${name}"`).join(", ");
  return `    inbound:
      authorize:
        - { name: callers, from: [{ principals: [${principals}] }] }`;
}

function documentText(instances: readonly Instance[], { v1, v2, guests = [] }: Contents): string {
  const endpoints = (service: string): string => endpointLines(instances, service);
  return `# yaml-language-server: $schema=${SCHEMA}
apiVersion: heddle/v1
mesh:
  egress: deny
  trustHeaders: true # web believes the deadline of its browsers, which prove nothing
  trustDomain: ${TRUST_DOMAIN}
  identityTemplate: "spiffe://{trustDomain}/{service}" # who the servers of each service have to be
services:
  web: { inbound: { mtls: disable } } # browsers have no certificate of this mesh
  catalog:
    endpoints:
${endpoints("catalog")}
${callers("web")}
    balancer: { policy: round-robin } # so that the flaky one keeps its share
    retry: {}
    mirror: { service: catalog-next, percent: 20 }
  catalog-next:
    endpoints:
${endpoints("catalog-next")}
${callers("web")}
  reviews:
    endpoints:
${endpoints("reviews")}
${callers("web", ...guests)}
    subsets:
      v1: { labels: { version: v1 } }
      v2: { labels: { version: v2 } }
    balancer: { policy: least-request }
    timeout: 5s
    retry: {}
    outlier: { consecutiveFailures: 3, baseEjection: 300ms, maxEjection: 1s }
    routes:
      - name: insiders
        match: { headers: { x-user: { exact: jason } } }
        to: [{ subset: v2 }]
      - name: canary
        to:
          - { subset: v1, weight: ${v1} }
          - { subset: v2, weight: ${v2} }
  ratings:
    endpoints:
${endpoints("ratings")}
${callers("reviews", "web")}
    balancer: { policy: least-request } # so that one failed try keeps nobody away for long
    retry: {}
    outlier: { consecutiveFailures: 3, baseEjection: 300ms, maxEjection: 1s }
  suggestions:
    endpoints:
${endpoints("suggestions")}
${callers("web")}
    timeout: 1s
    breaker: { consecutiveFailures: 5, openFor: 500ms }
    fallback: { on: [connect-failure, reset, breaker-open, deadline], respond: { status: 200, json: [] } }
`;
}
