import fc from "fast-check";
import { parseForwardedClientCert } from "../../packages/core/src/authorization/forwarded-client-cert.ts";
import { forwardedClientCert } from "../../packages/core/test/forwarded-client-cert.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { edited, edits, HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const ROOT = "spiffe://shop.example/root";
const HASH = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
const WHOLE = [
  `By=${WEB};Hash=${HASH};Subject="CN=a\\",b;c=d";URI=${WEB};DNS=a.example`,
  `URI=${WEB},By=${WEB};URI=${ROOT}`,
  'Subject="CN=O\\, Brien";URI=',
];
const PIECES = [
  "By=",
  "Hash=",
  "Subject=",
  "URI=",
  "DNS=",
  "Cert=",
  "Chain=",
  ...HOSTILE_NAMES.map((name) => `${name}=`),
  WEB,
  ROOT,
  HASH,
  ",",
  ";",
  "=",
  '"',
  "\\",
  '\\"',
  " ",
  "\t",
  "a",
  "%41",
  "spiffe:",
];
const header = fc.oneof(
  piecesOf(PIECES, 12),
  fc.tuple(fc.constantFrom(...WHOLE), edits(PIECES, 3)).map(([whole, changes]) => edited(whole, changes)),
  fc.array(fc.constantFrom(...WHOLE, ...PIECES), { maxLength: 40 }).map((parts) => parts.join(",")),
  hostileText(),
);

fuzz("reads forwarded client certificates or says why not, and what it read is read again alike", header, (text) => {
  const reading = parseForwardedClientCert(text);
  if (!reading.ok) {
    expectSame(/^[ -~]+$/.test(reading.reason), true, reading.reason);
    return;
  }
  const again = parseForwardedClientCert(forwardedClientCert(reading.value));
  expectSame(again, reading);
});

/** A reader of another kind: what is in quotes is put out of the way first, behind a sign that no header holds, then the rest is split. */
function urisOf(text: string): readonly string[] {
  const quotes: string[] = [];
  const bare = text.replace(
    /"((?:[^"\\]|\\.)*)"/g,
    (_whole, inside: string) => `\u00a4${quotes.push(inside.replaceAll('\\"', '"')) - 1}\u00a4`,
  );
  return bare
    .split(/[,;]/)
    .map((pair) => pair.trim())
    .filter((pair) => /^uri=/i.test(pair))
    .map((pair) => pair.slice(4).replace(/^\u00a4(\d+)\u00a4$/, (_whole, index: string) => quotes[Number(index)] ?? ""))
    .filter((uri) => uri !== "");
}

fuzz("names exactly the URIs that stand in the header outside of quotes", header, (text) => {
  const reading = parseForwardedClientCert(text);
  if (!reading.ok) return;
  expectSame(
    reading.value.flatMap(({ uris }) => uris),
    urisOf(text),
  );
});

fuzz("what a subject holds never becomes an identity", fc.oneof(hostileText(), piecesOf(PIECES, 8)), (subject) => {
  const reading = parseForwardedClientCert(forwardedClientCert([{ by: null, hash: null, subject, uris: [WEB], dnsNames: [] }]));
  if (!reading.ok) return;
  expectSame(
    reading.value.flatMap(({ uris, by }) => [...uris, by]),
    [WEB, null],
  );
});
