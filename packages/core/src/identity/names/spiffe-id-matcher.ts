import { quoted, type Reading, read, refused } from "./reading.ts";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "./spiffe-id.ts";

/** Which IDs are meant, compiled once. Always those of a single trust domain. */
export interface SpiffeIdMatcher {
  /** As it was written, for messages. */
  readonly pattern: string;
  readonly trustDomain: string;
  matches(id: SpiffeId): boolean;
}

const BELOW = "/*";

/**
 * - `spiffe://shop.example/ns/shop/sa/web`: this ID.
 * - `spiffe://shop.example/ns/shop/*`: IDs with at least one more segment below that path, so not `/ns/shop` and not `/ns/shopping/x`.
 * - `spiffe://shop.example/*`: every workload of the trust domain.
 *
 * `spiffe://shop.example` is refused: no workload bears the ID of a trust domain (X509-SVID section 3.1), and whoever forgot the path
 * must not get everybody. A star anywhere else is refused too.
 */
export function compileSpiffeIdMatcher(pattern: string): Reading<SpiffeIdMatcher> {
  const isPrefix = pattern.endsWith(BELOW);
  const written = isPrefix ? pattern.slice(0, -BELOW.length) : pattern;
  if (written.includes("*"))
    return refused(`identity ${quoted(pattern)}: a * may only be the whole last segment, as in "spiffe://shop.example/ns/shop/*"`);
  const parsed = parseSpiffeId(written);
  if (!parsed.ok) return refused(`identity ${quoted(pattern)}: ${parsed.reason}`);
  const { trustDomain, path, text } = parsed.value;
  if (isPrefix) return read(prefixMatcher(pattern, trustDomain, `${path}/`));
  if (path === "")
    return refused(`identity ${quoted(pattern)} is a trust domain, which no workload bears; "${text}/*" is every workload in it`);
  return read({ pattern, trustDomain, matches: (id) => id.text === text });
}

/** Every workload of a trust domain. */
export function trustDomainMatcher(trustDomain: string): Reading<SpiffeIdMatcher> {
  const name = parseTrustDomain(trustDomain);
  return name.ok ? read(prefixMatcher(`spiffe://${name.value}${BELOW}`, name.value, "/")) : name;
}

/** The prefix ends with a slash, so that it ends where a segment does. */
function prefixMatcher(pattern: string, trustDomain: string, prefix: string): SpiffeIdMatcher {
  return { pattern, trustDomain, matches: (id) => id.trustDomain === trustDomain && id.path.startsWith(prefix) };
}
