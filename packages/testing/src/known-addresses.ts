import { type MeshSnapshot, nearest } from "@heddle/core";

/** Which handle an address has. */
export type HandleKind = "endpoint" | "grpcEndpoint";

/** The addresses that a test's configuration has or had: a script for any other would be for an endpoint that nothing ever calls. */
export class KnownAddresses {
  /** By address, the handles that something may come to. */
  readonly #addresses = new Map<string, Set<HandleKind>>();
  /** Where names are resolved, or a source of the test's own speaks, any address may come. */
  #isOpen: boolean;

  constructor(isOpen: boolean) {
    this.#isOpen = isOpen;
  }

  add({ backends, endpointSets }: MeshSnapshot): void {
    for (const { address } of [...endpointSets.values()].flatMap(({ endpoints }) => endpoints)) {
      if (address.startsWith("dns:")) this.#isOpen = true;
      if (!this.#addresses.has(address)) this.#addresses.set(address, new Set());
    }
    for (const { endpointSet, protocol } of backends.values()) {
      const kind: HandleKind = protocol === "grpc" ? "grpcEndpoint" : "endpoint";
      for (const { address } of endpointSets.get(endpointSet)?.endpoints ?? []) this.#addresses.get(address)?.add(kind);
    }
  }

  /** The address; throws TypeError for one that is not known, or is never called in the way that this handle answers. */
  checked(address: string, kind: HandleKind): string {
    const kinds = this.#addresses.get(address);
    if (kinds !== undefined && kinds.size > 0 && !kinds.has(kind)) {
      const [speaks, handle] = kind === "endpoint" ? ["gRPC", "grpcEndpoint"] : ["HTTP", "endpoint"];
      throw new TypeError(`${kind}: ${address} speaks ${speaks}; its handle is t.${handle}(${JSON.stringify(address)}).`);
    }
    if (this.#isOpen || kinds !== undefined) return address;
    const meant = nearest(address, this.#addresses.keys());
    const others = [...this.#addresses.keys()].slice(0, 5).join(", ") || "none";
    const hint = meant === null ? `it has ${others}.` : `did you mean ${JSON.stringify(meant)}?`;
    const transport = kind === "endpoint" ? "t.transport" : "t.grpcTransport";
    throw new TypeError(
      `${kind}: the configuration has no endpoint ${JSON.stringify(address)}; ${hint} One that an update brings: after it, or ${transport}.endpoint(address).`,
    );
  }
}
