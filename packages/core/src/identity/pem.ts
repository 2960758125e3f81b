import { quoted, type Reading, read, refused } from "./names/reading.ts";

/** PEM text and what to call the place it came from: a path, "the option pem". */
export interface PemText {
  readonly text: string;
  readonly from: string;
}

export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
  /** `tls.crt:12`, the line of its BEGIN. */
  readonly where: string;
}

/** All the authorities that browsers know have a quarter of it. */
const MAX_PEM_CHARACTERS = 1024 * 1024;
const MAX_BLOCKS = 1_000;

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----$/;

/**
 * Reads the blocks of PEM text strictly (RFC 7468 section 3): both boundaries, the same label, whole base64 and nothing else between.
 * Lines outside of blocks are passed over, as section 2 says: `openssl x509 -text` and lists of authorities have them. What looks like a
 * boundary and is none is refused wherever it stands, so that a file cut short or glued together is never read as a smaller one.
 * Messages name lines and never quote them: they may be part of a key.
 */
export function readPem({ text, from }: PemText): Reading<readonly PemBlock[]> {
  if (text.length > MAX_PEM_CHARACTERS)
    return refused(`${from} has ${text.length} characters, expected PEM of at most ${MAX_PEM_CHARACTERS}`);
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly base64: string[] } | null = null;
  for (const [index, written] of text.trimEnd().split("\n").entries()) {
    const line = written.trimEnd();
    const where = `${from}:${index + 1}`;
    const boundary = BOUNDARY.exec(line);
    const [, side, label = ""] = boundary ?? [];
    if (boundary === null && line.includes("-----")) return refused(boundaryProblem(where, line));
    if (boundary === null) {
      if (open === null) continue;
      const problem = bodyProblem(line);
      if (problem !== null) return refused(`${where}: the ${open.label} that begins in line ${open.line} ${problem}`);
      open.base64.push(line);
    } else if (side === "BEGIN") {
      if (open !== null) return refused(`${where}: another block begins within the ${open.label} of line ${open.line}; its END is missing`);
      if (blocks.length === MAX_BLOCKS) return refused(`${where}: more than ${MAX_BLOCKS} PEM blocks`);
      open = { label, line: index + 1, base64: [] };
    } else {
      if (open === null) return refused(`${where}: END ${quoted(label)} without its BEGIN; the text before it is missing`);
      if (open.label !== label)
        return refused(`${where}: END ${quoted(label)}, expected END ${quoted(open.label)} for the BEGIN of line ${open.line}`);
      const der = decode(open.base64.join(""));
      const begun = `${from}:${open.line}`;
      if (der === null) return refused(`${begun}: the ${label} is not base64, or is cut short`);
      blocks.push({ label, der, where: begun });
      open = null;
    }
  }
  if (open !== null) return refused(`${from}:${open.line}: the ${open.label} has no END; the text is cut short`);
  return read(blocks);
}

function boundaryProblem(where: string, line: string): string {
  return line.match(/-----(?:BEGIN|END) /g)?.length === 2
    ? `${where}: two PEM boundaries in one line, expected a line break between them`
    : `${where}: a malformed PEM boundary, expected "-----BEGIN LABEL-----" or "-----END LABEL-----" in a line of its own`;
}

function bodyProblem(line: string): string | null {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(line)) return null;
  if (/^(?:Proc-Type:.*ENCRYPTED|DEK-Info:)/.test(line)) return "is encrypted, expected a key without a password";
  if (line === "") return "holds an empty line, expected base64";
  return "holds something that is not base64";
}

/** Null for what another base64 text would be decoded to as well. */
function decode(base64: string): Buffer | null {
  const der = Buffer.from(base64, "base64");
  return base64 !== "" && der.toString("base64") === base64 ? der : null;
}

/** One block, as RFC 7468 section 2 says to write it. */
export function pemOf(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
