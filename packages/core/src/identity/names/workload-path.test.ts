import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSpiffeId } from "./spiffe-id.ts";
import { consulId, consulServiceOf, kubernetesId, kubernetesWorkloadOf } from "./workload-path.ts";

const SEED = 20260117;
const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,10}$/);

describe("the path form of Kubernetes and Istio", () => {
  test("reads back what it wrote", () => {
    fc.assert(
      fc.property(name, name, (namespace, serviceAccount) => {
        const made = kubernetesId("cluster.local", { namespace, serviceAccount });
        if (!made.ok) throw new Error(made.reason);
        expect(made.value.text).toBe(`spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`);
        expect(kubernetesWorkloadOf(made.value)).toEqual({ namespace, serviceAccount });
        expect(consulServiceOf(made.value)).toBeNull();
      }),
      { seed: SEED },
    );
  });

  test("is no other form", () => {
    for (const path of ["/ns/a", "/ns/a/sa", "/ns/a/sa/b/c", "/x/ns/a/sa/b", "/NS/a/sa/b"]) {
      const parsed = parseSpiffeId(`spiffe://a${path}`);
      expect(parsed.ok && kubernetesWorkloadOf(parsed.value), path).toBeNull();
    }
  });

  test("has no ID for a name that would reach into the path", () => {
    expect(kubernetesId("a", { namespace: "x/sa/admin", serviceAccount: "y" }).ok).toBe(false);
    expect(kubernetesId("a", { namespace: "..", serviceAccount: "y" }).ok).toBe(false);
  });
});

describe("the path form of Consul", () => {
  test("reads back what it wrote, with and without a partition", () => {
    fc.assert(
      fc.property(fc.option(name), name, name, name, (partition, namespace, datacenter, service) => {
        const made = consulId("11111111-2222.consul", { partition, namespace, datacenter, service });
        if (!made.ok) throw new Error(made.reason);
        const ap = partition === null ? "" : `/ap/${partition}`;
        expect(made.value.path).toBe(`${ap}/ns/${namespace}/dc/${datacenter}/svc/${service}`);
        expect(consulServiceOf(made.value)).toEqual({ partition, namespace, datacenter, service });
        expect(kubernetesWorkloadOf(made.value)).toBeNull();
      }),
      { seed: SEED },
    );
  });

  test("refuses the escapes of Consul, written and read, as SPIFFE does", () => {
    const parts = { partition: null, namespace: "default", datacenter: "dc1" };
    expect(consulId("x.consul", { ...parts, service: "a b" }).ok).toBe(false);
    expect(consulId("x.consul", { ...parts, service: "a%20b" }).ok).toBe(false);
    expect(parseSpiffeId("spiffe://x.consul/ns/default/dc/dc1/svc/a%20b")).toMatchObject({
      reason: expect.stringContaining("percent-encoded"),
    });
  });

  test("is none of its agents, servers and gateways", () => {
    for (const path of ["/agent/client/dc/d/id/n", "/agent/server/dc/d", "/gateway/mesh/dc/d", "/ap/p/gateway/mesh/dc/d"]) {
      const parsed = parseSpiffeId(`spiffe://x.consul${path}`);
      expect(parsed.ok && consulServiceOf(parsed.value), path).toBeNull();
    }
  });
});
