import type { Resolve, ResolvedAddress, ResolvedService } from "@heddle/core";

/** A record as a test writes it; what is left out is 0, and for the TTL the one of the call. */
export type ServiceRecord = Pick<ResolvedService, "host" | "port"> & Partial<ResolvedService>;

/** Names that a test decides about. One that nobody set does not exist. */
export interface FakeResolve extends Resolve {
  /** What a host resolves to from now on. Default TTL 30 s; null: not known. */
  set(host: string, addresses: readonly string[], ttlSeconds?: number | null): void;
  /** What a name's SRV records are from now on. */
  setServices(name: string, records: readonly ServiceRecord[], ttlSeconds?: number | null): void;
  /** Lookups of a name fail from now on, until it is set again. */
  fail(name: string, message?: string): void;
  /** Lookups of a name get no answer from now on, until it is set again. */
  hang(name: string): void;
  /** Every name that was asked for, in order. */
  readonly lookups: readonly string[];
}

const DEFAULT_TTL_SECONDS = 30;

export function fakeResolve(): FakeResolve {
  const lookups: string[] = [];
  const hosts = new Map<string, () => Promise<readonly ResolvedAddress[]>>();
  const services = new Map<string, () => Promise<readonly ResolvedService[]>>();
  const unknown = (name: string) => Promise.reject(new Error(`queryA ENOTFOUND ${name}`));
  const both = (name: string, answer: () => Promise<never>): void => {
    hosts.set(name, answer);
    services.set(name, answer);
  };
  return {
    lookups,
    addresses(host) {
      lookups.push(host);
      return hosts.get(host)?.() ?? unknown(host);
    },
    services(name) {
      lookups.push(name);
      return services.get(name)?.() ?? unknown(name);
    },
    set(host, addresses, ttlSeconds = DEFAULT_TTL_SECONDS) {
      hosts.set(host, async () => addresses.map((address) => ({ address, ttlSeconds })));
    },
    setServices(name, records, ttlSeconds = DEFAULT_TTL_SECONDS) {
      services.set(name, async () => records.map((record) => ({ priority: 0, weight: 0, ttlSeconds, ...record })));
    },
    fail: (name, message = `queryA ETIMEOUT ${name}`) => both(name, () => Promise.reject(new Error(message))),
    hang: (name) => both(name, () => new Promise<never>(() => {})),
  };
}
