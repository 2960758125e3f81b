import { isIP } from "node:net";

/** The host of `host`, `host:port`, `[v6]` or `[v6]:port`, in lower case and without the dot that ends a full name. */
export function authorityHost(authority: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(authority);
  if (bracketed) return (bracketed[1] as string).toLowerCase();
  // An address of IPv6 without brackets has more colons than the one before a port.
  const colon = authority.indexOf(":");
  const host = colon === -1 || colon !== authority.lastIndexOf(":") ? authority : authority.slice(0, colon);
  return host.toLowerCase().replace(/\.$/, "");
}

/** For `tls.connect`: nothing where the name is an address, which RFC 6066 section 3 forbids to ask for. */
export function serverNameOption(name: string): { readonly servername?: string } {
  return name === "" || isIP(name) !== 0 ? {} : { servername: name };
}
