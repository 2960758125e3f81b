import { type MeshSnapshot, nearest } from "@heddle/core";

/** The addresses that a test's configuration has or had: a script for any other would be for an endpoint that nothing ever calls. */
export class KnownAddresses {
  readonly #addresses = new Set<string>();
  /** Where names are resolved, or a source of the test's own speaks, any address may come. */
  #isOpen: boolean;

  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
  }

  add({ endpointSets }: MeshSnapshot): void {
    for (const { endpoints } of endpointSets.values()) {
      for (const { address } of endpoints) {
        if (address.startsWith("dns:")) this.#isOpen = true;
        this.#addresses.add(address);
      }
    }
  }

  /** The address; throws TypeError for one that is not known. */
  checked(address: string): string {
    if (this.#isOpen || this.#addresses.has(address)) return address;
    const meant = nearest(address, this.#addresses);
    const others = [...this.#addresses].slice(0, 5).join(", ") || "none";
    const hint = meant === null ? `it has ${others}.` : `did you mean ${JSON.stringify(meant)}?`;
    throw new TypeError(
      `endpoint: the configuration has no endpoint ${JSON.stringify(address)}; ${hint} One that an update brings: after it, or t.transport.endpoint(address).`,
    );
  }
}
