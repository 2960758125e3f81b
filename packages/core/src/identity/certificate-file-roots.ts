import { isNamedAsIssuer } from "./issuing.ts";
import { type Reading, read } from "./names/reading.ts";
import { type PemBlock, type PemText, readPem } from "./pem.ts";
import { parseCertificate } from "./x509.ts";

const BLOCK = /-----BEGIN [\s\S]*?-----END [^\n]*/g;

/**
 * Splits one PEM text that holds everything into roots and the rest. Each part has the other's lines empty, so that lines in messages are
 * those of the file.
 */
export function splitRoots(pem: PemText): Reading<{ readonly roots: PemText; readonly rest: PemText }> {
  const blocks = readPem(pem);
  if (!blocks.ok) return blocks;
  const areRoots = blocks.value.map(isRoot);
  const part = (keepsRoots: boolean): PemText => {
    let index = 0;
    const keep = (block: string): string => (areRoots[index++] === keepsRoots ? block : block.replaceAll(/[^\n]/g, ""));
    return { text: pem.text.replaceAll(BLOCK, keep), from: pem.from };
  };
  return read({ roots: part(true), rest: part(false) });
}

/** What cannot be read is left to whoever reads the rest, and says why. */
function isRoot({ label, der }: PemBlock): boolean {
  const certificate = label === "CERTIFICATE" ? parseCertificate(der) : null;
  return certificate?.ok === true && certificate.value.isAuthority && isNamedAsIssuer(certificate.value, certificate.value);
}
