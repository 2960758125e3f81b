import fc from "fast-check";
import { expect } from "vitest";
import { compileIdentityTemplate } from "../../packages/core/src/identity/names/identity-template.ts";
import { formatSpiffeId, parseSpiffeId, parseTrustDomain, spiffeId } from "../../packages/core/src/identity/names/spiffe-id.ts";
import { compileSpiffeIdMatcher } from "../../packages/core/src/identity/names/spiffe-id-matcher.ts";
import { consulId, consulServiceOf, kubernetesId, kubernetesWorkloadOf } from "../../packages/core/src/identity/names/workload-path.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { edited, edits, hostileText, piecesOf } from "./hostile.ts";

const PIECES = [
  "spiffe://",
  "spiffe:",
  "/",
  "//",
  ".",
  "..",
  "a",
  "b.example",
  "A",
  "%2F",
  "%",
  "?",
  "#",
  "@",
  ":",
  "*",
  "ns",
  "sa",
  "dc",
  "svc",
  "ap",
  "_",
  "-",
  "\0",
  "é",
  "~",
  " ",
];
const EXAMPLES = ["spiffe://shop.example/ns/shop/sa/web", "spiffe://x.consul/ap/p/ns/default/dc/dc1/svc/web", "spiffe://a"];
const text = fc.oneof(
  piecesOf(PIECES, 10),
  fc.tuple(fc.constantFrom("spiffe://a", "spiffe://b.example"), piecesOf(PIECES.slice(2), 8)).map((parts) => parts.join("")),
  fc.tuple(fc.constantFrom(...EXAMPLES), edits(PIECES, 3)).map(([example, changes]) => edited(example, changes)),
  hostileText(),
  fc
    .tuple(fc.constantFrom("spiffe://", "spiffe://a/"), fc.integer({ min: 0, max: 5_000 }))
    .map(([head, count]) => head + "a".repeat(count)),
);

/** The grammar once more, in one expression: SPIFFE-ID sections 2.1 to 2.3. */
const GRAMMAR = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*)$/;

fuzz("takes exactly the SPIFFE IDs of the grammar, and formats them back to themselves", text, (given) => {
  const result = parseSpiffeId(given);
  const [match, trustDomain, path] = given.length <= 2048 && !given.includes("\n") ? (GRAMMAR.exec(given) ?? []) : [];
  expectSame(result.ok, match !== undefined, given);
  if (!result.ok) expectSame(/^[ -~]{1,800}$/.test(result.reason), true, result.reason);
  else {
    expectSame(result.value, { text: given, trustDomain, path });
    expectSame(formatSpiffeId(result.value), given);
    expectSame(spiffeId(result.value.trustDomain, ...result.value.path.split("/").slice(1)), result);
  }
});

fuzz(
  "a matcher matches IDs of its own trust domain alone, and by whole segments",
  fc.tuple(text, text, fc.boolean()),
  ([pattern, given, star]) => {
    const matcher = compileSpiffeIdMatcher(star ? `${pattern}/*` : pattern);
    const id = parseSpiffeId(given);
    if (!matcher.ok || !id.ok || !matcher.value.matches(id.value)) return;
    const written = matcher.value.pattern;
    expectSame(id.value.trustDomain, matcher.value.trustDomain);
    expectSame(
      written.endsWith("/*") ? given.startsWith(written.slice(0, -1)) && given.length > written.length - 1 : given === written,
      true,
      written,
    );
  },
);

const word = fc.oneof(fc.constantFrom("a", "ns", "..", ".", "", "a/b", "%41", "x*", "ü"), hostileText(2));

fuzz(
  "what is put together of words has those words in their places, or is refused",
  fc.tuple(word, word, word, word, fc.option(word)),
  ([td, one, two, three, four]) => {
    const kubernetes = kubernetesId(td, { namespace: one, serviceAccount: two });
    if (kubernetes.ok) {
      expectSame(kubernetes.value.trustDomain, td);
      expectSame(kubernetesWorkloadOf(kubernetes.value), { namespace: one, serviceAccount: two });
    }
    const service = { partition: four, namespace: one, datacenter: two, service: three };
    const consul = consulId(td, service);
    if (consul.ok) expectSame(consulServiceOf(consul.value), service);
    const name = parseTrustDomain(td);
    if (name.ok) expectSame(parseSpiffeId(`spiffe://${name.value}`).ok, true);
  },
);

fuzz(
  "a template gives different services different IDs",
  fc.tuple(
    piecesOf(["spiffe://", "{trustDomain}", "{namespace}", "{service}", "{", "}", "/", "a", "-", "ns"], 9),
    fc.tuple(word, word),
    fc.tuple(word, word),
  ),
  ([template, [namespace, service], [otherNamespace, otherService]]) => {
    const compiled = compileIdentityTemplate(template);
    if (!compiled.ok) return;
    const one = compiled.value.fill({ trustDomain: "td", namespace, service });
    const other = compiled.value.fill({ trustDomain: "td", namespace: otherNamespace, service: otherService });
    if (one.ok && other.ok && one.value.text === other.value.text) expect(service).toBe(otherService);
  },
);
