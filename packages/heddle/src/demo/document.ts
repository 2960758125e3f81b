import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Instance } from "./instances.ts";

/** What steps change in the document. */
export interface Contents {
  readonly v1: number;
  readonly v2: number;
  /** Services that reviews lets in beside web. */
  readonly guests?: readonly string[];
  /** Services that it refuses, even as guests. */
  readonly banned?: readonly string[];
  /** New streams to ratings fail with this status of gRPC. */
  readonly watchFails?: string;
}

export const TRUST_DOMAIN = "demo.test";

/** Who the processes of a service prove to be. */
export function idOf(service: string): string {
  return `spiffe://${TRUST_DOMAIN}/${service}`;
}

const HEAD = `# yaml-language-server: $schema=${new URL("../../schema/mesh.schema.json", import.meta.url)}
apiVersion: heddle/v1
mesh:
  egress: deny
  trustHeaders: true # web believes the deadline of its browsers, which prove nothing
  trustDomain: ${TRUST_DOMAIN}
  identityTemplate: "spiffe://{trustDomain}/{service}" # who the servers of each service have to be`;

/** The document that every process of the demo joins, in a file that is edited as an editor would: written beside it, then renamed. */
export class MeshDocument {
  readonly path: string;
  readonly folder: string;
  readonly #instances: readonly Instance[];
  readonly #hasGrpc: boolean;

  constructor(folder: string, instances: readonly Instance[], hasGrpc: boolean) {
    this.path = join(folder, "mesh.yaml");
    this.folder = folder;
    this.#instances = instances;
    this.#hasGrpc = hasGrpc;
  }

  text(contents: Contents): string {
    return documentText(this.#instances, contents, this.#hasGrpc ? grpcRatings : httpRatings);
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

interface Rule {
  readonly name: string;
  readonly from: readonly string[];
  readonly paths?: readonly string[];
  readonly method?: "GET" | "POST";
  readonly action?: "deny";
}

/** Lets these services do that there, and nobody do anything else. */
function inbound(...rules: readonly Rule[]): string {
  return ["    inbound:", "      authorize:", ...rules.filter(({ from }) => from.length > 0).map(policyLine)].join("\n");
}

function policyLine({ name, action, from, paths, method = "GET" }: Rule): string {
  const principals = quoted(from.map(idOf));
  const to = paths === undefined ? "" : `, to: [{ methods: [${method}], paths: [${quoted(paths)}] }]`;
  return `        - { name: ${name},${action === undefined ? "" : ` action: ${action},`} from: [{ principals: [${principals}] }]${to} }`;
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `"${text}"`).join(", ");
}

/** What is said of ratings beside what holds for every protocol. */
type RatingsLines = (contents: Contents) => string;

function httpRatings(): string {
  return `${inbound({ name: "reviews-asks", from: ["reviews"], paths: ["/ratings/*"] })}
    retry: {}`;
}

function grpcRatings({ watchFails }: Contents): string {
  const methods = ["/demo.Ratings/Get", "/demo.Ratings/Watch"];
  return `${inbound({ name: "reviews-asks", from: ["reviews"], method: "POST", paths: methods })}
    protocol: grpc
    retry: { on: [grpc:unavailable] }${watchFails === undefined ? "" : failingWatch(watchFails)}`;
}

function failingWatch(status: string): string {
  return `
    routes:
      - name: watch
        match: { grpc: { service: { exact: demo.Ratings }, method: { exact: Watch } } }
        fault: { abort: { percent: 100, grpc: ${status} } }
      - name: others`;
}

function documentText(instances: readonly Instance[], contents: Contents, ratings: RatingsLines): string {
  const { v1, v2, guests = [], banned = [] } = contents;
  const endpoints = (service: string): string => endpointLines(instances, service);
  return `${HEAD}
services:
  web: { inbound: { mtls: disable } } # browsers have no certificate of this mesh
  catalog:
    endpoints:
${endpoints("catalog")}
${inbound({ name: "web-reads", from: ["web"], paths: ["/items/*"] })}
    balancer: { policy: round-robin } # so that the flaky one keeps its share
    retry: {}
    mirror: { service: catalog-next, percent: 20 }
  catalog-next:
    endpoints:
${endpoints("catalog-next")}
${inbound({ name: "web-reads", from: ["web"], paths: ["/items/*"] })}
  reviews:
    endpoints:
${endpoints("reviews")}
${inbound({ name: "banned", action: "deny", from: banned }, { name: "web-reads", from: ["web"], paths: ["/reviews/*"] }, { name: "guests", from: guests, paths: ["/reviews/*"] })}
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
${ratings(contents)}
    balancer: { policy: least-request } # so that one failed try keeps nobody away for long
    outlier: { consecutiveFailures: 3, baseEjection: 300ms, maxEjection: 1s }
  live:
    endpoints:
${endpoints("live")}
${inbound({ name: "web-watches", from: ["web"], paths: ["/live"] })}
    retry: {}
  suggestions:
    endpoints:
${endpoints("suggestions")}
${inbound({ name: "web-reads", from: ["web"], paths: ["/suggestions/*"] })}
    timeout: 1s
    breaker: { consecutiveFailures: 5, openFor: 500ms }
    fallback: { on: [connect-failure, reset, breaker-open, deadline], respond: { status: 200, json: [] } }
`;
}
