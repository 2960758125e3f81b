import { isIP } from "node:net";

export interface ResolvedAddress {
  /** An IPv4 or IPv6 address, without brackets. */
  readonly address: string;
  /** How long it may be believed; null where that is not known. */
  readonly ttlSeconds: number | null;
}

/** One SRV record (RFC 2782). */
export interface ResolvedService {
  readonly host: string;
  readonly port: number;
  /** The lowest is used first. */
  readonly priority: number;
  /** Share among those of the same priority; 0 is the smallest. */
  readonly weight: number;
  readonly ttlSeconds: number | null;
}

/** Looks names up. Passed in, so that a test needs no DNS. */
export interface Resolve {
  /** Every A and AAAA answer; rejects where there is none. */
  addresses(host: string): Promise<readonly ResolvedAddress[]>;
  /** Every SRV answer; rejects where there is none. */
  services(name: string): Promise<readonly ResolvedService[]>;
}

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * The system's name servers, asked for A and AAAA with their TTL. What they do not know (a name of the hosts file or of a search domain)
 * is left to the system's own lookup, which tells no TTL. `localhost` is never asked of a server (RFC 6761).
 */
export function nodeResolve(): Resolve {
  // Loaded when the first name is looked up: most meshes have none.
  let loaded: typeof import("node:dns/promises") | undefined;
  const dns = (): typeof import("node:dns/promises") => {
    loaded ??= process.getBuiltinModule("node:dns/promises");
    return loaded;
  };
  let made: import("node:dns/promises").Resolver | undefined;
  const resolver = (): import("node:dns/promises").Resolver => {
    made ??= new (dns().Resolver)({ timeout: TIMEOUT_MS, tries: TRIES });
    return made;
  };
  const systemLookup = async (host: string): Promise<readonly ResolvedAddress[]> => {
    const found = await dns().lookup(host, { all: true });
    return found.map(({ address }) => ({ address, ttlSeconds: null }));
  };
  return {
    async addresses(host) {
      if (isIP(host) !== 0 || host === "localhost" || host.endsWith(".localhost")) return systemLookup(host);
      const families = await Promise.allSettled([resolver().resolve4(host, { ttl: true }), resolver().resolve6(host, { ttl: true })]);
      const found = families.flatMap((family) => (family.status === "fulfilled" ? family.value : []));
      return found.length > 0 ? found.map(({ address, ttl }) => ({ address, ttlSeconds: ttl })) : systemLookup(host);
    },
    async services(name) {
      const records = await resolver().resolveSrv(name);
      return records.map((record) => ({
        host: record.name,
        port: record.port,
        priority: record.priority,
        weight: record.weight,
        ttlSeconds: null,
      }));
    },
  };
}
