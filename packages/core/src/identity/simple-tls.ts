import { checkServerIdentity, type PeerCertificate, type TLSSocket } from "node:tls";
import type { ClientTls } from "../client-tls.ts";
import type { Backend, TlsSettings } from "../model/backend.ts";
import { alpnOf, alpnProblem } from "./alpn.ts";
import type { AuthorityFiles } from "./authority-files.ts";
import { authorityHost, serverNameOption } from "./authority-host.ts";
import { quoted } from "./names/reading.ts";
import { opensslRefusal, presentedWords, refusalSeen, ServerRefused, sessionProblem } from "./server-refused.ts";
import { parseCertificate } from "./x509.ts";

/**
 * TLS towards a server outside of the mesh, which proves that it bears the name of the host called, or one of `subjectAltNames` (names of
 * hosts, addresses, URIs). This side presents nothing.
 */
export function simpleTls(
  { subjectAltNames, authorities, sni }: Pick<TlsSettings, "subjectAltNames" | "authorities" | "sni">,
  protocol: Backend["protocol"],
  files: AuthorityFiles,
): ClientTls {
  const alpn = alpnOf(protocol);
  const namesFor = (authority: string): readonly string[] => (subjectAltNames.length > 0 ? subjectAltNames : [authorityHost(authority)]);
  const ownRefusal = (socket: TLSSocket, authority: string): ServerRefused | null => {
    const problem = sessionProblem(socket) ?? alpnProblem(socket, alpn);
    return problem === null ? nameRefusal(socket.getPeerCertificate(), namesFor(authority)) : new ServerRefused(problem);
  };
  return {
    key: JSON.stringify(["simple", [...subjectAltNames].sort(), authorities.kind === "file" ? authorities.path : null, sni]),
    mode: "simple",
    connectOptions: (authority) => ({
      secureContext: files.context(authorities),
      ...serverNameOption(sni ?? authorityHost(authority)),
      ALPNProtocols: [alpn],
      rejectUnauthorized: true,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => nameRefusal(certificate, namesFor(authority)) ?? undefined,
    }),
    refusal: (socket, authority) => ownRefusal(socket, authority) ?? opensslRefusal(socket),
    // Servers outside of the mesh are held to what clients hold them to everywhere: a certificate is looked at in the handshake.
    provenUntilMs: () => Number.POSITIVE_INFINITY,
    watch: (socket, authority) => refusalSeen(socket, () => ownRefusal(socket, authority)),
  };
}

/** RFC 9525: what the certificate names counts, each kind by its own rules, and its subject does not. */
function nameRefusal(certificate: PeerCertificate, names: readonly string[]): ServerRefused | null {
  if (certificate.raw === undefined) return new ServerRefused("it presented no certificate");
  if (names.some((name) => bears(certificate, name))) return null;
  return new ServerRefused(`expected a certificate of ${names.map(quoted).join(" or ")}; ${presentedWords(certificate)}`);
}

function bears(certificate: PeerCertificate, name: string): boolean {
  if (certificate.subjectaltname === undefined) return false;
  if (name.includes("://")) {
    const parsed = parseCertificate(certificate.raw);
    return parsed.ok && parsed.value.uris.includes(name);
  }
  // Without its subject, for Node would take the common name where no host is named.
  return checkServerIdentity(name, { ...certificate, subject: {} as PeerCertificate["subject"] }) === undefined;
}
