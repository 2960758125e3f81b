/**
 * An address in hexadecimal, 8 digits of IPv4 or 32 of IPv6, so that addresses of one family compare as texts. An IPv6 address that
 * maps an IPv4 one (`::ffff:10.0.0.1`, as a server on `::` names its peers) is that IPv4 address.
 */
export type IpAddress = string & { readonly kind: "address" };

interface IpRange {
  readonly first: IpAddress;
  readonly last: IpAddress;
}

const MAPPED = "00000000000000000000ffff";

/** Strict: decimal IPv4 without leading zeros, IPv6 as RFC 4291 writes it. A zone (`fe80::1%eth0`) is left out. null: not an address. */
export function parseAddress(text: string): IpAddress | null {
  if (!text.includes(":")) return parseIpv4(text) as IpAddress | null;
  const zone = text.indexOf("%");
  const hex = parseIpv6(zone > 0 ? text.slice(0, zone) : text);
  if (hex === null) return null;
  return (hex.startsWith(MAPPED) ? hex.slice(MAPPED.length) : hex) as IpAddress;
}

function parseIpv4(text: string): string | null {
  const parts = text.split(".", 5);
  if (parts.length !== 4) return null;
  let hex = "";
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const byte = Number(part);
    if (byte > 255) return null;
    hex += byte.toString(16).padStart(2, "0");
  }
  return hex;
}

function parseIpv6(text: string): string | null {
  if (text.length > 45) return null;
  const halves = text.split("::", 3);
  const [before = "", after] = halves;
  if (halves.length > 2) return null;
  // IPv4 at the end is the last two groups.
  const head = groupsOf(before, after === undefined);
  const tail = after === undefined ? "" : groupsOf(after, true);
  if (head === null || tail === null) return null;
  const missing = 32 - head.length - tail.length;
  // `::` stands for one group at least.
  if (after === undefined ? missing !== 0 : missing < 4) return null;
  return head + "0".repeat(missing) + tail;
}

function groupsOf(text: string, mayEndInIpv4: boolean): string | null {
  if (text === "") return "";
  const groups = text.split(":");
  let hex = "";
  for (const [index, group] of groups.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(group)) hex += group.toLowerCase().padStart(4, "0");
    else {
      const embedded = mayEndInIpv4 && index === groups.length - 1 ? parseIpv4(group) : null;
      if (embedded === null) return null;
      hex += embedded;
    }
  }
  return hex;
}

/** What is wrong with a CIDR block or single address, in words; null: nothing. */
export function ipBlockProblem(text: string): string | null {
  const range = parseBlock(text);
  return typeof range === "string" ? range : null;
}

/** Bits after the prefix may be set and count for nothing, as in Envoy. */
function parseBlock(text: string): IpRange | string {
  const slash = text.indexOf("/");
  const written = slash < 0 ? text : text.slice(0, slash);
  const address = written.includes("%") ? null : parseAddress(written);
  if (address === null)
    return `${JSON.stringify(text)} must begin with an IPv4 address (four decimal numbers) or an IPv6 address, without a zone`;
  if (slash < 0) return { first: address, last: address };
  const length = text.slice(slash + 1);
  // A mapped address is written with the prefix of an IPv6 one.
  const skipped = written.includes(":") && address.length === 8 ? 96 : 0;
  const most = skipped + address.length * 4;
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) < skipped || Number(length) > most) {
    return `${JSON.stringify(text)} must end in a prefix length from ${skipped} to ${most}`;
  }
  return rangeOf(address, Number(length) - skipped);
}

function rangeOf(address: IpAddress, prefixBits: number): IpRange {
  const bits = BigInt(address.length * 4);
  const rest = (1n << (bits - BigInt(prefixBits))) - 1n;
  const value = BigInt(`0x${address}`);
  const hex = (number: bigint) => number.toString(16).padStart(address.length, "0") as IpAddress;
  return { first: hex(value & ~rest), last: hex(value | rest) };
}

/** Blocks of both families. Throws TypeError for one that {@link ipBlockProblem} refuses. `::/0` holds no IPv4 address, also none mapped. */
export class IpBlocks {
  /** By family, ascending, apart from each other. */
  readonly #ipv4: readonly IpRange[];
  readonly #ipv6: readonly IpRange[];

  constructor(blocks: readonly string[]) {
    const ranges = blocks.map((block) => {
      const range = parseBlock(block);
      if (typeof range === "string") throw new TypeError(range);
      return range;
    });
    this.#ipv4 = united(ranges.filter(({ first }) => first.length === 8));
    this.#ipv6 = united(ranges.filter(({ first }) => first.length === 32));
  }

  has(address: IpAddress): boolean {
    const ranges = address.length === 8 ? this.#ipv4 : this.#ipv6;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = ranges[middle];
      if (range !== undefined && range.last < address) low = middle + 1;
      else high = middle;
    }
    const found = ranges[low];
    return found !== undefined && found.first <= address;
  }
}

function united(ranges: readonly IpRange[]): IpRange[] {
  const apart: IpRange[] = [];
  for (const range of ranges.toSorted((one, other) => (one.first < other.first ? -1 : one.first > other.first ? 1 : 0))) {
    const before = apart.at(-1);
    if (before === undefined || before.last < range.first) apart.push(range);
    else if (before.last < range.last) apart[apart.length - 1] = { first: before.first, last: range.last };
  }
  return apart;
}
