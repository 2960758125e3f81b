import { quoted, type Reading, refused } from "./names/reading.ts";
import { parseSpiffeId, type SpiffeId } from "./names/spiffe-id.ts";
import type { ParsedCertificate } from "./x509.ts";

/**
 * Whom a leaf certificate names, if it is an X509-SVID as X509-SVID sections 2, 3.1, 4 and 5.2 demand of leaves: exactly one URI among
 * its names, which is a SPIFFE ID with a path; no authority; key usage with digitalSignature and without keyCertSign and cRLSign.
 * Says nothing about who signed it or when it is valid.
 */
export function readSvid(certificate: ParsedCertificate): Reading<SpiffeId> {
  const [uri, second] = certificate.uris;
  if (uri === undefined) return refused("names no URI, expected exactly one, its SPIFFE ID");
  if (second !== undefined)
    return refused(`names ${certificate.uris.length} URIs (${quoted(uri)}, ${quoted(second)}), expected exactly one, its SPIFFE ID`);
  const id = parseSpiffeId(uri);
  if (!id.ok) return id;
  if (id.value.path === "") return refused(`names the trust domain ${quoted(uri)}, expected a workload's ID with a path`);
  const problem = leafProblem(certificate);
  return problem === null ? id : refused(`of ${quoted(uri)} ${problem}`);
}

function leafProblem({ isAuthority, keyUsage, notUnderstood }: ParsedCertificate): string | null {
  if (isAuthority) return "is an authority (CA:TRUE), expected a leaf";
  if (keyUsage === null) return "has no key usage, expected digitalSignature";
  const forbidden = (["keyCertSign", "cRLSign"] as const).find((usage) => keyUsage.has(usage));
  if (forbidden !== undefined) return `has the key usage ${forbidden}, which only an authority may have`;
  if (!keyUsage.has("digitalSignature")) return `has the key usage ${[...keyUsage].join(", ") || "nothing"}, expected digitalSignature`;
  return notUnderstood.length === 0 ? null : `has extensions that are not understood here: ${notUnderstood.slice(0, 5).join(", ")}`;
}
