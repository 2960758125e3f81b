import { type Reading, read, refused } from "../identity/names/reading.ts";
import { parseSpiffeId } from "../identity/names/spiffe-id.ts";
import type { ForwardedPeer } from "../inbound-request-context.ts";

const MAX_LENGTH = 16_384;
const MAX_ELEMENTS = 16;
const MAX_PAIRS = 32;

/** A value without quotes may hold none of what would end it. */
const PLAIN_VALUE = /[!#-+\--:<>-~]*/y;
/** A backslash takes the next character with it. */
const QUOTED_VALUE = /"((?:[ !#-[\]-~]|\\[ -~])*)"/y;
const KEY = /([A-Za-z]+)=/y;
const ELEMENT_END = /[ \t]*,[ \t]*/y;
const BLANKS_AT_ENDS = /^[ \t]+|[ \t]+$/g;
const SHA_256 = /^[0-9A-Fa-f]{64}$/;
const URL_ENCODED = /^(?:[A-Za-z0-9._~!*'()+-]|%[0-9A-Fa-f]{2})*$/;

/** Those that may stand in an element more than once. */
const LISTS: readonly string[] = ["uri", "dns"];
const KEYS: readonly string[] = ["by", "hash", "cert", "chain", "subject", ...LISTS];

/** Keys in lower case. */
type Element = ReadonlyMap<string, readonly string[]>;

/**
 * Reads `x-forwarded-client-cert` as Envoy writes it: elements with commas between, one of each proxy, of pairs with semicolons between.
 * Stricter than its description: a key it does not list, a key twice that can be there once, and a value that needs quotes and has none
 * make the whole unreadable, as every reader might take them for something else.
 */
export function parseForwardedClientCert(header: string): Reading<readonly ForwardedPeer[]> {
  if (header.length > MAX_LENGTH) return refused(`it is longer than ${MAX_LENGTH} characters`);
  const text = header.replace(BLANKS_AT_ENDS, "");
  const peers: ForwardedPeer[] = [];
  for (let at = 0; ; ) {
    if (peers.length === MAX_ELEMENTS) return refused(`it has more than ${MAX_ELEMENTS} elements`);
    const element = readElement(text, at);
    if (!element.ok) return refused(`element ${peers.length + 1}: ${element.reason}`);
    const peer = peerOf(element.value.pairs);
    if (!peer.ok) return refused(`element ${peers.length + 1}: ${peer.reason}`);
    peers.push(peer.value);
    at = element.value.end;
    if (at === text.length) return read(peers);
    ELEMENT_END.lastIndex = at;
    if (!ELEMENT_END.test(text)) return refused(`element ${peers.length}: it does not end where its last value does`);
    at = ELEMENT_END.lastIndex;
  }
}

function readElement(text: string, start: number): Reading<{ readonly pairs: Element; readonly end: number }> {
  const pairs = new Map<string, string[]>();
  let at = start;
  for (let count = 1; ; count++) {
    if (count > MAX_PAIRS) return refused(`it has more than ${MAX_PAIRS} pairs`);
    const pair = readPair(text, at);
    if (!pair.ok) return pair;
    const { key, value, end } = pair.value;
    const values = pairs.get(key);
    if (values === undefined) pairs.set(key, [value]);
    else if (LISTS.includes(key)) values.push(value);
    else return refused(`it has ${key} twice`);
    if (text[end] !== ";") return read({ pairs, end });
    at = end + 1;
  }
}

function readPair(text: string, at: number): Reading<{ readonly key: string; readonly value: string; readonly end: number }> {
  KEY.lastIndex = at;
  const key = KEY.exec(text)?.[1]?.toLowerCase();
  if (key === undefined || !KEYS.includes(key)) return refused(`a pair does not begin with one of ${KEYS.join(", ")} and =`);
  const isQuoted = text[KEY.lastIndex] === '"';
  const form = isQuoted ? QUOTED_VALUE : PLAIN_VALUE;
  form.lastIndex = KEY.lastIndex;
  const found = form.exec(text);
  if (found === null) return refused(`the quotes around ${key} do not end, or hold what is not printable`);
  return read({ key, value: isQuoted ? unquoted(found[1] ?? "") : found[0], end: form.lastIndex });
}

/**
 * Only quotes are escaped by who writes the header. Other backslashes are the distinguished name's own (RFC 2253), and without them two
 * names would become one.
 */
function unquoted(text: string): string {
  return text.replace(/\\(.)/g, (pair, char) => (char === '"' ? '"' : pair));
}

function peerOf(pairs: Element): Reading<ForwardedPeer> {
  const hash = one(pairs, "hash");
  if (hash !== null && !SHA_256.test(hash)) return refused("hash is not 64 hexadecimal digits");
  for (const key of ["cert", "chain"]) if (!URL_ENCODED.test(one(pairs, key) ?? "")) return refused(`${key} is not URL-encoded`);
  const uris = all(pairs, "uri");
  const by = one(pairs, "by");
  for (const uri of by === null ? uris : [by, ...uris]) if (!isName(uri)) return refused("a URI is no SPIFFE ID, but looks like one");
  return read({ uris, by, hash: hash?.toLowerCase() ?? null, subject: one(pairs, "subject"), dnsNames: all(pairs, "dns") });
}

function isName(uri: string): boolean {
  return !/^\s*spiffe:/i.test(uri) || parseSpiffeId(uri).ok;
}

/** What is there and empty says nothing: Envoy writes that for a certificate without such a name. */
function all(pairs: Element, key: string): readonly string[] {
  return (pairs.get(key) ?? []).filter((value) => value !== "");
}

function one(pairs: Element, key: string): string | null {
  return all(pairs, key)[0] ?? null;
}
