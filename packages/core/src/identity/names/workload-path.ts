import type { Reading } from "./reading.ts";
import { type SpiffeId, spiffeId } from "./spiffe-id.ts";

/** The form of Istio, cert-manager's SPIFFE driver and SPIRE's Kubernetes defaults: `/ns/NAMESPACE/sa/SERVICE_ACCOUNT`. */
export interface KubernetesWorkload {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * The form of Consul's services: `[/ap/PARTITION]/ns/NAMESPACE/dc/DATACENTER/svc/SERVICE`.
 *
 * Consul escapes with % what a name holds beyond the letters of a URI; SPIFFE-ID section 2.2 forbids that, and here the specification
 * wins: a service whose name would need an escape has no ID, and an ID with one is refused wherever it is read. Two writings of one
 * name would be two identities to whoever compares text, and one to whoever decodes.
 */
export interface ConsulService {
  /** Null for the default one, which Consul leaves out. */
  readonly partition: string | null;
  readonly namespace: string;
  readonly datacenter: string;
  readonly service: string;
}

export function kubernetesId(trustDomain: string, workload: KubernetesWorkload): Reading<SpiffeId> {
  return spiffeId(trustDomain, "ns", workload.namespace, "sa", workload.serviceAccount);
}

export function consulId(trustDomain: string, { partition, namespace, datacenter, service }: ConsulService): Reading<SpiffeId> {
  const below = ["ns", namespace, "dc", datacenter, "svc", service];
  return partition === null ? spiffeId(trustDomain, ...below) : spiffeId(trustDomain, "ap", partition, ...below);
}

/** Null if the ID has another form. */
export function kubernetesWorkloadOf(id: SpiffeId): KubernetesWorkload | null {
  const found = /^\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(id.path);
  const [, namespace, serviceAccount] = found ?? [];
  return namespace === undefined || serviceAccount === undefined ? null : { namespace, serviceAccount };
}

/** Null if the ID has another form: Consul's agents, servers and mesh gateways have their own. */
export function consulServiceOf(id: SpiffeId): ConsulService | null {
  const found = /^(?:\/ap\/([^/]+))?\/ns\/([^/]+)\/dc\/([^/]+)\/svc\/([^/]+)$/.exec(id.path);
  const [, partition, namespace, datacenter, service] = found ?? [];
  if (namespace === undefined || datacenter === undefined || service === undefined) return null;
  return { partition: partition ?? null, namespace, datacenter, service };
}
