import type { Resolve } from "@heddle/core";
import type { Check, Finding } from "../finding.ts";
import { addressesOf, parseAddress } from "../targets.ts";

export const names: Check = {
  about: "DNS names that do not resolve",
  async find({ configuration, resolve }) {
    const asked = [...addressesOf(configuration.snapshots)].flatMap(([service, addresses]) =>
      [...addresses].map((address) => lookUp(service, address, resolve)),
    );
    return (await Promise.all(asked)).flat();
  },
};

async function lookUp(service: string, address: string, resolve: Resolve): Promise<readonly Finding[]> {
  const parsed = parseAddress(address);
  if (parsed.kind === "target") return [];
  const [name, found] =
    parsed.kind === "name" ? [parsed.host, resolve.addresses(parsed.host)] : [parsed.name, resolve.services(parsed.name)];
  return found.then(
    () => [],
    (error: unknown) => [
      {
        severity: "error" as const,
        what: `${name}, an endpoint of ${service}, does not resolve: ${error instanceof Error ? error.message : String(error)}`,
        why: `${service} has no endpoint by that name until it does: requests fail with no_endpoint if it is the only one`,
        whatToDo: "correct the name; where it is known only inside of a cluster or a VPN, run this there",
      },
    ],
  );
}
