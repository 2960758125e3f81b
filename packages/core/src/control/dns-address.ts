const DNS = "dns:";

/** What an endpoint's address stands for that is to be resolved: `dns:reviews.internal:9080`, or `dns:_http._tcp.reviews.internal` for SRV. */
export interface DnsAddress {
  readonly host: string;
  /** Null: the answer says it (SRV). */
  readonly port: number | null;
}

/** Null for an address that needs no resolution. */
export function dnsAddress(address: string): DnsAddress | null {
  if (!address.startsWith(DNS)) return null;
  const name = address.slice(DNS.length);
  const [, host = name, port] = /^(.*):(\d+)$/s.exec(name) ?? [];
  return { host, port: port === undefined ? null : Number(port) };
}
