import type { PathNormalisation } from "../../model/authorization.ts";

/** A path as it is matched and as the application gets it. `path` has the query, `pathname` has not. */
export type NormalisedPath =
  | { readonly kind: "unchanged" | "changed"; readonly path: string; readonly pathname: string }
  | { readonly kind: "refused"; readonly status: 400; readonly why: string };

const SLASH = 47;
const BACKSLASH = 92;
const PERCENT = 37;
const DOT = 46;

/** By character: what RFC 3986 calls unreserved, which means the same escaped and not. */
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** What the URL standard escapes in a path, and `|`, which Envoy does too: written raw or escaped it is the same to who parses it. */
const ESCAPED = /["<>^`{|}\u0080-\u00ff]/;

/** Per ASCII character: 1: may make the path another; 0: never does by itself. */
const SUSPICIOUS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return code <= 32 || code === 127 || code === PERCENT || code === BACKSLASH || ESCAPED.test(character) ? 1 : 0;
});

/**
 * Normalises once; what comes out is what every matcher and the application must get.
 *
 * - `none` leaves all as it is.
 * - `base` (RFC 3986 and the URL standard): escapes of unreserved characters are decoded, the others written in upper case; a
 *   backslash is a slash; `.` and `..` are resolved, never above the root; characters that must be escaped are.
 * - `merge-slashes`: then several slashes become one.
 * - `decode-and-merge-slashes`: before all that, `%2F` and `%5C` become slashes.
 *
 * Nothing is decoded twice. The query is never touched. Under every setting a path that begins with no slash is refused (a framework
 * would find another path in `http://host/path`), except `*`, and, as in Envoy, one with a `#`, which no request line may hold: what ends
 * there to some is to a file server one more element, and `..` behind it leads elsewhere. Under all but `none` also an escape that is
 * none, `%00`, and other characters that no request line may hold. Envoy lets a broken escape pass and keeps the case of escapes; two
 * spellings of one path are what this is here to prevent.
 */
export function normalisePath(path: string, setting: PathNormalisation): NormalisedPath {
  const first = path.charCodeAt(0);
  if (first !== SLASH && (first !== BACKSLASH || setting === "none")) {
    return path === "*" ? { kind: "unchanged", path, pathname: path } : refused("it does not begin with a slash");
  }
  if (path.includes("#")) return refused("it holds a #, and fragments are not sent");
  const query = path.indexOf("?");
  const end = query < 0 ? path.length : query;
  if (setting === "none" || isNormal(path, end, setting !== "base")) {
    return { kind: "unchanged", path, pathname: end === path.length ? path : path.slice(0, end) };
  }
  const decoded = canonicalCharacters(path, end, setting === "decode-and-merge-slashes");
  if (typeof decoded !== "string") return decoded;
  const resolved = withoutDotSegments(decoded);
  const pathname = setting === "base" ? resolved : resolved.replace(/\/{2,}/g, "/");
  const whole = pathname + path.slice(end);
  return { kind: whole === path ? "unchanged" : "changed", path: whole, pathname };
}

function refused(why: string): NormalisedPath & { kind: "refused" } {
  return { kind: "refused", status: 400, why };
}

/** Whether nothing can change; most paths are so. */
function isNormal(path: string, end: number, mergesSlashes: boolean): boolean {
  let afterSlash = false;
  for (let index = 0; index < end; index++) {
    const code = path.charCodeAt(index);
    if (code > 127 || SUSPICIOUS[code] === 1) return false;
    // Also where it begins a name such as `.well-known`: what follows is looked at in earnest then.
    if (afterSlash && (code === DOT || (mergesSlashes && code === SLASH))) return false;
    afterSlash = code === SLASH;
  }
  return true;
}

/** Every character in its one spelling, or why there is none. */
function canonicalCharacters(path: string, end: number, decodesSlashes: boolean): string | (NormalisedPath & { kind: "refused" }) {
  let text = "";
  for (let index = 0; index < end; index++) {
    const character = path.charAt(index);
    const code = path.charCodeAt(index);
    if (code <= 32 || code === 127) return refused(`it holds the character ${code}, which must be escaped`);
    if (code > 255) return refused(`it holds the character ${code}, which is no byte`);
    if (code === PERCENT) {
      const digits = path.slice(index + 1, Math.min(index + 3, end));
      if (!/^[0-9A-Fa-f]{2}$/.test(digits))
        return refused(`the escape at character ${index + 1} is not a percent sign and two hexadecimal digits`);
      const byte = Number.parseInt(digits, 16);
      if (byte === 0) return refused("it holds %00");
      text += canonicalEscape(byte, digits, decodesSlashes);
      index += 2;
    } else if (code === BACKSLASH) text += "/";
    else text += ESCAPED.test(character) ? escapeOf(code) : character;
  }
  return text;
}

function canonicalEscape(byte: number, digits: string, decodesSlashes: boolean): string {
  if (decodesSlashes && (byte === SLASH || byte === BACKSLASH)) return "/";
  const character = String.fromCharCode(byte);
  return UNRESERVED.test(character) ? character : `%${digits.toUpperCase()}`;
}

function escapeOf(code: number): string {
  return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** RFC 3986 5.2.4, of an absolute path. An empty segment is one: `/a//..` is `/a/`. */
function withoutDotSegments(path: string): string {
  if (!path.includes("/.")) return path;
  const segments = path.slice(1).split("/");
  const kept: string[] = [];
  segments.forEach((segment, index) => {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push("");
  });
  return `/${kept.join("/")}`;
}
