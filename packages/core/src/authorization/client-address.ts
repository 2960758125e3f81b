import { type IpAddress, parseAddress } from "./terms/ip-block.ts";

/** Where a request comes from, behind the proxies in front; `unknown` says why nobody can tell. */
export type ClientAddress = { readonly kind: "known"; readonly address: IpAddress } | { readonly kind: "unknown"; readonly why: string };

/**
 * Envoy's rule (`xff_num_trusted_hops` with `use_remote_address`): of `trustedHops` proxies each appends the address it was called
 * from, so the client is that many from the right; what stands further left anybody can write. With no hop, or where the header is
 * shorter, it is the peer. Strict where Envoy takes the peer again: what one of those hops wrote and is no plain address (an empty
 * one, a port, a name) makes the client unknown.
 */
export function clientAddress(
  forwardedFor: string | readonly string[] | undefined,
  peer: IpAddress | null,
  trustedHops: number,
): ClientAddress {
  if (trustedHops > 0 && forwardedFor !== undefined) {
    const found = fromRight(typeof forwardedFor === "string" ? forwardedFor : forwardedFor.join(","), trustedHops);
    if (found !== null) return found;
  }
  return peer === null ? { kind: "unknown", why: "the connection has no address" } : { kind: "known", address: peer };
}

/** null: there are fewer. */
function fromRight(text: string, hops: number): ClientAddress | null {
  let end = text.length;
  for (let hop = 1; ; hop++) {
    const comma = end === 0 ? -1 : text.lastIndexOf(",", end - 1);
    const written = text.slice(comma + 1, end).replace(/^[ \t]+|[ \t]+$/g, "");
    const address = written.includes("%") ? null : parseAddress(written);
    if (address === null) return { kind: "unknown", why: `x-forwarded-for: entry ${hop} from the right is not an address` };
    if (hop === hops) return { kind: "known", address };
    if (comma < 0) return null;
    end = comma;
  }
}
