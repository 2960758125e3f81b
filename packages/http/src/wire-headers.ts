import type { HeaderMap, MeshRequest } from "@heddle/core";

type WireHeaders = HeaderMap | (string | string[])[];

/**
 * Headers as undici is given them. Where the pool's own origin already says the authority the map goes as it is, without a copy;
 * otherwise name and value alternate in one list, `host` first.
 */
export function wireHeaders(request: MeshRequest, originAuthority: string): WireHeaders {
  const { headers, authority } = request;
  // What an upgrade asks for is undici's to write.
  const asksForUpgrade = headers.upgrade !== undefined;
  if (!asksForUpgrade && authority === originAuthority && headers.host === undefined) return headers;
  const list: (string | string[])[] = ["host", authority];
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && name !== "host" && name !== "upgrade") list.push(name, value);
  }
  return list;
}
