import type { Check } from "../finding.ts";
import { addressesOf } from "../targets.ts";

export const sharedAddresses: Check = {
  about: "one address for two services",
  find({ configuration }) {
    const services = new Map<string, string[]>();
    for (const [service, addresses] of addressesOf(configuration.snapshots)) {
      for (const address of addresses) services.set(address, [...(services.get(address) ?? []), service]);
    }
    return [...services]
      .filter(([, sharing]) => sharing.length > 1)
      .map(([address, sharing]) => ({
        severity: "warning" as const,
        what: `${address} is an endpoint of ${sharing.join(" and of ")}`,
        why: "one process listens on a port: the second one that starts fails with EADDRINUSE, or calls reach the wrong service",
        whatToDo: "give each its own port, unless one process serves them all",
      }));
  },
};
