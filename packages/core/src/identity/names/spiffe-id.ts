import { quoted, type Reading, read, refused } from "./reading.ts";

/**
 * A valid SPIFFE ID (SPIFFE-ID section 2). Only {@link parseSpiffeId} and {@link spiffeId} make one. Two are the same if their texts
 * are: the specification leaves exactly one way to write each.
 */
export interface SpiffeId {
  /** The whole of it: `spiffe://shop.example/ns/shop/sa/web`. */
  readonly text: string;
  readonly trustDomain: string;
  /** With its leading slash; empty for the ID of the trust domain itself. */
  readonly path: string;
}

const SCHEME = "spiffe://";
/** SPIFFE-ID section 2.3. What is accepted is ASCII, so characters are bytes. */
export const MAX_ID_BYTES = 2048;
/** SPIFFE-ID section 2.3. */
export const MAX_TRUST_DOMAIN_BYTES = 255;

const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/**
 * Reads an ID as SPIFFE-ID section 2 writes it, and nothing else: no other case of the scheme or the trust domain, no percent-encoding,
 * no empty, `.` or `..` segment, no trailing slash, no user, port, query or fragment.
 */
export function parseSpiffeId(text: string): Reading<SpiffeId> {
  if (text.length > MAX_ID_BYTES)
    return refused(`SPIFFE ID ${quoted(text)} has ${text.length} characters, expected at most ${MAX_ID_BYTES} bytes`);
  if (!text.startsWith(SCHEME)) return refused(`SPIFFE ID ${quoted(text)} does not begin with ${SCHEME}`);
  const slash = text.indexOf("/", SCHEME.length);
  const trustDomain = slash === -1 ? text.slice(SCHEME.length) : text.slice(SCHEME.length, slash);
  const path = slash === -1 ? "" : text.slice(slash);
  const problem = trustDomainProblem(trustDomain) ?? pathProblem(path);
  return problem === null ? read({ text, trustDomain, path }) : refused(`SPIFFE ID ${quoted(text)}: ${problem}`);
}

/** The ID of a trust domain and segments of a path, none for the trust domain's own. */
export function spiffeId(trustDomain: string, ...segments: readonly string[]): Reading<SpiffeId> {
  const path = segments.map((segment) => `/${segment}`).join("");
  // The parts one by one, for a slash in one of them would make it two.
  const problem = [trustDomainProblem(trustDomain), ...segments.map(segmentProblem)].find((each) => each !== null);
  if (problem !== undefined) return refused(`SPIFFE ID of ${quoted(trustDomain)} and the path ${quoted(path)}: ${problem}`);
  return parseSpiffeId(formatSpiffeId({ trustDomain, path }));
}

export function formatSpiffeId(id: Pick<SpiffeId, "trustDomain" | "path">): string {
  return `${SCHEME}${id.trustDomain}${id.path}`;
}

/** A trust domain by its name alone, or as the ID of one (`spiffe://shop.example`), which is how the Workload API keys bundles. */
export function parseTrustDomain(text: string): Reading<string> {
  const name = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
  const problem = trustDomainProblem(name);
  return problem === null ? read(name) : refused(`trust domain ${quoted(text)}: ${problem}`);
}

/** Why this is no trust domain name (SPIFFE-ID sections 2.1, 2.3), or null. */
function trustDomainProblem(name: string): string | null {
  if (name === "") return "the trust domain is empty";
  if (name.length > MAX_TRUST_DOMAIN_BYTES)
    return `the trust domain has ${name.length} characters, expected at most ${MAX_TRUST_DOMAIN_BYTES} bytes`;
  if (TRUST_DOMAIN.test(name)) return null;
  if (name.includes("@")) return "the trust domain has user information, expected none";
  if (name.includes(":")) return "the trust domain has a port or a colon, expected none";
  return "the trust domain may hold only lower case letters, digits, dots, dashes and underscores";
}

function pathProblem(path: string): string | null {
  if (path === "") return null;
  if (path.endsWith("/")) return "the path ends with a slash, expected none";
  for (const segment of path.slice(1).split("/")) {
    const problem = segmentProblem(segment);
    if (problem !== null) return problem;
  }
  return null;
}

/** Why this is no segment of a path (SPIFFE-ID section 2.2), or null. */
export function segmentProblem(segment: string): string | null {
  if (segment === "") return "the path has an empty segment";
  if (segment === "." || segment === "..") return `the path has the segment "${segment}", which would be relative`;
  if (SEGMENT.test(segment)) return null;
  if (segment.includes("%")) return "the path is percent-encoded, which SPIFFE forbids";
  if (/[?#]/.test(segment)) return "has a query or a fragment, expected none";
  return `the path segment ${quoted(segment)} may hold only letters, digits, dots, dashes and underscores`;
}
