import fc from "fast-check";
import { expect, test } from "vitest";
import { forwardedClientCert } from "../../test/forwarded-client-cert.ts";
import { parseForwardedClientCert } from "./forwarded-client-cert.ts";

const HASH = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
const WEB = "spiffe://shop.example/ns/shop/sa/web";
const GATEWAY = "spiffe://shop.example/ns/shop/sa/gateway";

function peersOf(header: string) {
  const reading = parseForwardedClientCert(header);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.value;
}

test("reads what Envoy writes", () => {
  const subject = "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";
  expect(peersOf(`By=${GATEWAY};Hash=${HASH};Subject="${subject}";URI=${WEB};DNS=a.example;DNS=b.example`)).toEqual([
    { uris: [WEB], by: GATEWAY, hash: HASH, subject, dnsNames: ["a.example", "b.example"] },
  ]);
  expect(peersOf(`Hash=${HASH};Cert="-----BEGIN%20CERTIFICATE-----%0Acert%3D";Chain="a%2Fb";Subject="";URI=`)).toEqual([
    { uris: [], by: null, hash: HASH, subject: null, dnsNames: [] },
  ]);
});

test("reads one element of each proxy, in their order, with blanks around the commas of joined fields", () => {
  const peers = peersOf(` By=${GATEWAY};URI=${WEB} ,\tBy=http://b.example;URI=http://a.example,URI="" `);
  expect(peers.map(({ uris, by }) => [uris, by])).toEqual([
    [[WEB], GATEWAY],
    [["http://a.example"], "http://b.example"],
    [[], null],
  ]);
});

test("keys are in any case, and a hash is told in lower case", () => {
  expect(peersOf(`hash=${HASH.toUpperCase()};uri=${WEB};BY=${GATEWAY}`)).toEqual([
    { uris: [WEB], by: GATEWAY, hash: HASH, subject: null, dnsNames: [] },
  ]);
});

test("what is in quotes is no syntax, and two subjects do not become one", () => {
  const [first] = peersOf(`Subject="CN=a\\",URI=${WEB};Hash=x\\"";URI=${GATEWAY}`);
  expect(first).toMatchObject({ subject: `CN=a",URI=${WEB};Hash=x"`, uris: [GATEWAY] });
  const subjects = ['"CN=a\\,O=b"', '"CN=a\\\\,O=b"', '"CN=a,O=b"', '"CN=a\\",O=b"'].map(
    (value) => peersOf(`Subject=${value}`)[0]?.subject,
  );
  expect(new Set(subjects).size).toBe(4);
});

test.each([
  ["nothing", ""],
  ["a comma", ","],
  ["an element that is empty", `URI=${WEB},,URI=${WEB}`],
  ["a comma at the end", `URI=${WEB},`],
  ["a semicolon at the end", `URI=${WEB};`],
  ["a key alone", "URI"],
  ["a value alone", `=${WEB}`],
  ["an unknown key", `URI=${WEB};Role=admin`],
  ["an inherited key", "constructor=a"],
  ["a blank before =", `URI =${WEB}`],
  ["a blank after a semicolon", `Hash=${HASH}; URI=${WEB}`],
  ["two bys", `By=${GATEWAY};By=${WEB}`],
  ["two hashes", `Hash=${HASH};hash=${HASH}`],
  ["two subjects", 'Subject="a";Subject="b"'],
  ["quotes that do not end", `Subject="a;URI=${WEB}`],
  ["quotes whose end is escaped", 'Subject="a\\"'],
  ["text after quotes", 'Subject="a"b'],
  ["quotes within a value", 'URI=a"b"'],
  ["= within a value that has no quotes", "DNS=a=b"],
  ["a line end", `URI=${WEB}\nURI=${GATEWAY}`],
  ["a zero in quotes", 'Subject="a\0"'],
  ["text beyond ASCII", 'Subject="J\u00fcrgen"'],
  ["a hash that is short", "Hash=468ed3"],
  ["a hash that is none", `Hash=${"g".repeat(64)}`],
  ["a certificate that is not URL-encoded", 'Cert="-----BEGIN CERTIFICATE-----"'],
  ["a SPIFFE ID that is none", "URI=spiffe://shop.example/a/../b"],
  ["a SPIFFE ID in other case", "URI=SPIFFE://shop.example/web"],
  ["a SPIFFE ID of a proxy that is none", "By=spiffe://Shop.example/web"],
  ["too many elements", Array(17).fill(`URI=${WEB}`).join(",")],
  ["too many pairs", Array(33).fill("DNS=a").join(";")],
  ["too much", `Cert="${"a".repeat(16_384)}"`],
])("refuses %s", (_what, header) => {
  expect(parseForwardedClientCert(header).ok).toBe(false);
});

const printable = fc.string({ unit: fc.constantFrom(..."aZ09 ,;=\"'/:.%<>-_") });
const name = fc.stringMatching(/^[a-z0-9:/.,;="-]{1,20}$/).filter((uri) => !uri.startsWith("spiffe:"));
const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const peer = fc.record({
  uris: fc.array(fc.oneof(name, fc.constantFrom(WEB, GATEWAY)), { maxLength: 3 }),
  by: fc.option(fc.oneof(name, fc.constant(GATEWAY))),
  hash: fc.option(hash),
  subject: fc.option(printable.filter((text) => text !== "")),
  dnsNames: fc.array(name, { maxLength: 3 }),
});

test("reads what was written, whatever stands in the values", () => {
  fc.assert(
    fc.property(fc.array(peer, { minLength: 1, maxLength: 16 }), (peers) => {
      expect(peersOf(forwardedClientCert(peers))).toEqual(peers);
    }),
    { seed: 1, numRuns: 500 },
  );
});
