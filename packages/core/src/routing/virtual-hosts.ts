import type { VirtualHost } from "../model/virtual-host.ts";

/** The virtual host that claims an authority, and by which of its claims. */
export interface Claim {
  readonly virtualHost: VirtualHost;
  readonly claim: string;
}

/** Finds by the most specific claim: exact with port, exact, the longest suffix, `*`. Case does not matter. */
export class VirtualHosts {
  readonly #exact = new Map<string, Claim>();
  readonly #suffixes: Claim[] = [];
  #any: Claim | null = null;

  constructor(virtualHosts: readonly VirtualHost[]) {
    for (const virtualHost of virtualHosts) {
      for (const authority of virtualHost.authorities) this.#add({ virtualHost, claim: authority.toLowerCase() });
    }
    this.#suffixes.sort((one, other) => other.claim.length - one.claim.length);
  }

  find(authority: string): Claim | null {
    const wanted = authority.toLowerCase();
    const host = withoutPort(wanted);
    return this.#exact.get(wanted) ?? this.#exact.get(host) ?? this.#bySuffix(wanted, host) ?? this.#any;
  }

  /** Every host that is claimed by name. */
  get hosts(): Iterable<string> {
    return this.#exact.keys();
  }

  #add(claim: Claim): void {
    if (claim.claim === "*") this.#any = claim;
    else if (claim.claim.startsWith("*.")) this.#suffixes.push(claim);
    else this.#exact.set(claim.claim, claim);
  }

  #bySuffix(authority: string, host: string): Claim | null {
    for (const claim of this.#suffixes) {
      const suffix = claim.claim.slice(1);
      if (host.endsWith(suffix) || authority.endsWith(suffix)) return claim;
    }
    return null;
  }
}

/** `[::1]:80` to `[::1]`, `reviews:80` to `reviews`. */
function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? authority.slice(0, colon) : authority;
}
