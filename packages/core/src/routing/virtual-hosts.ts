import type { VirtualHost } from "../model/virtual-host.ts";

/** The virtual host that claims an authority, and by which of its claims. */
export interface Claim {
  readonly virtualHost: VirtualHost;
  readonly claim: string;
}

interface SuffixClaim extends Claim {
  /** Of two claims of one length the earlier wins. */
  readonly order: number;
}

/** Finds by the most specific claim: exact with port, exact, the longest suffix, `*`. Case does not matter. */
export class VirtualHosts {
  readonly #exact = new Map<string, Claim>();
  /** By what follows the `*`, which begins with a dot. */
  readonly #suffixes = new Map<string, SuffixClaim>();
  #longestSuffix = 0;
  #any: Claim | null = null;

  constructor(virtualHosts: readonly VirtualHost[]) {
    for (const virtualHost of virtualHosts) {
      for (const authority of virtualHost.authorities) this.#add({ virtualHost, claim: authority.toLowerCase() });
    }
  }

  find(authority: string): Claim | null {
    // Claims are in lower case, and so is nearly every authority.
    const asGiven = this.#exact.get(authority);
    if (asGiven !== undefined) return asGiven;
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
    else if (claim.claim.startsWith("*.")) this.#addSuffix(claim);
    else this.#exact.set(claim.claim, claim);
  }

  #addSuffix(claim: Claim): void {
    const suffix = claim.claim.slice(1);
    this.#longestSuffix = Math.max(this.#longestSuffix, suffix.length);
    if (!this.#suffixes.has(suffix)) this.#suffixes.set(suffix, { ...claim, order: this.#suffixes.size });
  }

  /** A claim may have a port or not: `*.example:80` is longer than `*.example`, and than `*.a.b`. */
  #bySuffix(authority: string, host: string): Claim | null {
    if (this.#suffixes.size === 0) return null;
    const withPort = this.#longestOf(authority);
    const without = host.length === authority.length ? null : this.#longestOf(host);
    if (withPort === null || without === null) return withPort ?? without;
    const longer = withPort.claim.length - without.claim.length;
    return longer > 0 || (longer === 0 && withPort.order < without.order) ? withPort : without;
  }

  /** Label by label, beginning with the longest that can be claimed: a name that is long or has many dots costs no more. */
  #longestOf(name: string): SuffixClaim | null {
    let dot = name.indexOf(".", name.length - this.#longestSuffix);
    for (; dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const claim = this.#suffixes.get(name.slice(dot));
      if (claim !== undefined) return claim;
    }
    return null;
  }
}

/** `[::1]:80` to `[::1]`, `reviews:80` to `reviews`. */
function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? authority.slice(0, colon) : authority;
}
