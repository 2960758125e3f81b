import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { readCertificate } from "../../packages/core/src/identity/certificate.ts";
import { readPem } from "../../packages/core/src/identity/pem.ts";
import { readTrustBundle, trustBundles } from "../../packages/core/src/identity/trust-bundles.ts";
import { peerVerifier } from "../../packages/core/src/identity/verify-peer.ts";
import { intermediate, leaf, NOW, root } from "../../packages/core/test/authority.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { edited, edits, hostileText, piecesOf } from "./hostile.ts";

const shop = root("shop");
const middle = intermediate(shop, "middle");
const web = leaf(middle, "spiffe://shop.example/ns/shop/sa/web");
const other = leaf(shop, "spiffe://shop.example/ns/shop/sa/other");

const PIECES = [
  "-----BEGIN CERTIFICATE-----\n",
  "-----END CERTIFICATE-----\n",
  "-----BEGIN PRIVATE KEY-----\n",
  "-----END PRIVATE KEY-----\n",
  "-----BEGIN ",
  "-----",
  "-----END",
  "\n",
  "\r\n",
  " ",
  "MIIB",
  "AAAA\n",
  "=",
  "==\n",
  "Proc-Type: 4,ENCRYPTED\n",
  "\0",
  "# words\n",
];
const WHOLE = [web.pem, middle.pem, shop.pem, other.pem, web.keyPem, other.keyPem];
const text = fc.oneof(
  piecesOf(PIECES, 12),
  piecesOf([...WHOLE, ...PIECES], 5),
  fc
    .tuple(fc.constantFrom(web.pem + middle.pem + web.keyPem, shop.pem + middle.pem), edits(PIECES, 3))
    .map(([whole, changes]) => edited(whole, changes)),
  hostileText(),
);

const secretLines = [web.keyPem, other.keyPem].flatMap((pem) => pem.split("\n").filter((line) => line !== "" && !line.startsWith("-----")));

function expectNoSecret(reason: string): void {
  for (const line of secretLines) expectSame(reason.includes(line.slice(0, 12)), false, reason);
}

fuzz("reads PEM or says in which line it is none", text, (given) => {
  const result = readPem({ text: given, from: "file" });
  if (!result.ok) {
    expectSame(/^file:\d+: [ -~]+$/.test(result.reason), true, result.reason);
    expectNoSecret(result.reason);
  } else expectSame(result.value.length, given.split("-----BEGIN ").length - 1);
});

fuzz(
  "reads only a certificate with its own key, in order, and never tells a key",
  fc.array(text, { minLength: 1, maxLength: 2 }),
  (texts) => {
    const result = readCertificate(
      texts.map((each) => ({ text: each, from: "file" })),
      NOW,
    );
    if (!result.ok) return expectNoSecret(result.reason);
    const { id, chain, privateKey } = result.value;
    const owner = [web, other].find(({ der }) => der.equals(chain[0] ?? Buffer.alloc(0)));
    expectSame(owner !== undefined && privateKey.equals(owner.privateKey), true, id.text);
    expectNoSecret(String(result.value) + JSON.stringify(result.value));
  },
);

const ownKeys = [shop, middle].map(({ der }) => new X509Certificate(der).publicKey);

fuzz("reads bundles of authorities alone, which vouch for nobody whose authority they do not hold", text, (given) => {
  const result = readTrustBundle("shop.example", [{ text: given, from: "file" }]);
  if (!result.ok) return expectNoSecret(result.reason);
  expectSame(
    result.value.roots.every((each) => each.isAuthority),
    true,
  );
  const bundles = trustBundles([result.value]);
  const verdict = peerVerifier().verify({ presented: [web.der, middle.der], bundles, nowMs: NOW, purpose: "server", expected: null });
  const holdsOurs = result.value.roots.some(({ publicKey }) => ownKeys.some((key) => key.equals(publicKey)));
  if (verdict.ok) expectSame(holdsOurs, true);
});
