import { type Reading, read, refused } from "../identity/names/reading.ts";
import { type JsonObject, readJsonObject } from "./token-json.ts";

/** Longer ones are refused unread. Node's limit for all headers together is twice that. */
export const MAX_TOKEN_LENGTH = 8_192;
const MAX_KID_LENGTH = 256;

/** What a token says of itself. Nothing of it is proved. */
export interface UnverifiedToken {
  readonly text: string;
  readonly algorithm: string;
  readonly kid: string | null;
  readonly issuer: string;
  readonly claims: JsonObject;
}

const PART = /^[A-Za-z0-9_-]+$/;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/**
 * What stands in `typ` where it says that this is a token for access: JWT, RFC 9068's, and what a JWT-SVID of SPIFFE may say. What an
 * issuer signs for other ends (logout tokens, events, proofs of possession) names another type, and must not be taken for one (RFC 8725
 * section 3.11).
 */
const TYPES: readonly string[] = ["jwt", "at+jwt", "jose"];

/**
 * A signed JWT in its compact form (RFC 7515, RFC 7519), with one spelling only. Where keys are (`jku`, `x5u`, `jwk`, `x5c`) is never read
 * from it. Refused: extensions that must be understood (`crit`), as none is; payloads that are not encoded (`b64`); what is encrypted.
 */
export function readToken(text: string): Reading<UnverifiedToken> {
  if (text.length > MAX_TOKEN_LENGTH) return refused(`it is longer than ${MAX_TOKEN_LENGTH} characters`);
  const [head, body, signature, ...more] = text.split(".", 5);
  if (head === undefined || body === undefined || signature === undefined || more.length > 0)
    return refused("it is not three parts with dots between them");
  if (![head, body, signature].every(isBase64Url)) return refused("one of its parts is not base64url");
  const header = readJsonObject(Buffer.from(head, "base64url"));
  if (!header.ok) return refused(`its header: ${header.reason}`);
  const flaw = headerFlaw(header.value);
  if (flaw !== null) return refused(flaw);
  const claims = readJsonObject(Buffer.from(body, "base64url"));
  if (!claims.ok) return refused(`its claims: ${claims.reason}`);
  const { alg, kid = null } = header.value;
  const { iss } = claims.value;
  if (typeof iss !== "string") return refused("it names no issuer");
  return read({ text, algorithm: alg as string, kid: kid as string | null, issuer: iss, claims: claims.value });
}

/** Without padding, and no bit set that decoding drops: of two spellings of one signature only one is a token. */
function isBase64Url(part: string): boolean {
  if (!PART.test(part)) return false;
  const rest = part.length % 4;
  if (rest === 0) return true;
  const unused = rest === 2 ? 0b1111 : 0b11;
  return rest !== 1 && (ALPHABET.indexOf(part.charAt(part.length - 1)) & unused) === 0;
}

function headerFlaw({ alg, kid, typ, crit, b64, enc, zip, cty }: JsonObject): string | null {
  if (typeof alg !== "string" || alg === "") return "its header names no algorithm";
  if (kid !== undefined && (typeof kid !== "string" || kid.length > MAX_KID_LENGTH))
    return `its key ID is not text of at most ${MAX_KID_LENGTH} characters`;
  if (typ !== undefined && !isAccessType(typ)) return "its type is not JWT, at+jwt or JOSE";
  if (crit !== undefined) return "its header has extensions that must be understood, and none is";
  if (b64 !== undefined) return "its header says how its payload is encoded";
  if (enc !== undefined || zip !== undefined || cty !== undefined) return "it is encrypted, compressed or holds another token";
  return null;
}

function isAccessType(typ: unknown): boolean {
  return typeof typ === "string" && TYPES.includes(typ.toLowerCase().replace(/^application\//, ""));
}
