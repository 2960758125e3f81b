import { parseSpiffeId, parseTrustDomain, segmentProblem } from "../../identity/names/spiffe-id.ts";
import type { PathValueMatch, TextAttribute, ValueMatch } from "../../model/authorization.ts";
import { formatValue } from "./value-forms.ts";

/** Why no request has such a value, in words; null: one may, or it is not known. */
export function impossibleValue(kind: TextAttribute, match: PathValueMatch): string | null {
  const problem = problemOf(kind, match);
  return problem === null ? null : `${formatValue(match)} ${problem}`;
}

function problemOf(kind: TextAttribute, match: PathValueMatch): string | null {
  if (!isText(match)) return null;
  switch (kind) {
    case "method":
      return /^[A-Z-]+$/.test(match.value) ? null : "never matches: methods are in upper case";
    case "principal":
      return principalProblem(match);
    case "trust-domain":
      return trustDomainProblem(match);
    case "namespace":
      return segmentProblem(match.value) === null || /^\.{1,2}$/.test(match.value)
        ? null
        : "never matches: a namespace is one element of a SPIFFE ID's path";
    case "host":
      return hostProblem(match);
    default:
      return null;
  }
}

interface Text {
  readonly kind: "exact" | "prefix" | "suffix";
  readonly value: string;
  readonly ignoreCase: boolean;
}

function isText(match: PathValueMatch): match is ValueMatch & Text {
  return match.kind === "exact" || match.kind === "prefix" || match.kind === "suffix";
}

const SCHEME = "spiffe://";

function principalProblem(match: Text): string | null {
  const value = lowered(match);
  if (match.kind !== "suffix" && !value.startsWith(SCHEME) && !(match.kind === "prefix" && SCHEME.startsWith(value)))
    return `never matches: principals begin with ${SCHEME}`;
  const parsed = examplesOf(match.kind, value).map(parseSpiffeId);
  if (parsed.some((id) => id.ok && id.value.path !== "")) return null;
  const [first] = parsed;
  const isDomain = match.kind === "exact" && first?.ok === true;
  if (isDomain) return `never matches: it is a trust domain, which no workload bears; "${value}/*" is every workload in it`;
  return `never matches: ${first?.ok === false ? first.reason : "no SPIFFE ID is so"}`;
}

/** IDs that the value takes, if there are any. What stands beyond it is chosen so that it makes no difference. */
function examplesOf(kind: Text["kind"], value: string): readonly string[] {
  if (kind === "exact") return [value];
  if (kind === "suffix") {
    const inScheme = Array.from(SCHEME, (_, length) => `${SCHEME.slice(0, length)}${value}`);
    return [`${SCHEME}x/x${value}`, `${SCHEME}x${value}`, `${SCHEME}${value}`, ...inScheme];
  }
  if (SCHEME.startsWith(value)) return [`${SCHEME}x/x`];
  return value.indexOf("/", SCHEME.length) < 0 ? [`${value}x/x`] : [`${value}x`];
}

function trustDomainProblem(match: Text): string | null {
  const value = lowered(match);
  const name = value.startsWith(SCHEME) ? value.slice(SCHEME.length) : value;
  if (name !== value) return `never matches: a trust domain is a name without ${SCHEME}${name === "" ? "" : `, ${JSON.stringify(name)}`}`;
  const parsed = parseTrustDomain(value);
  return parsed.ok ? null : `never matches: ${parsed.reason}`;
}

/** A request may send anything for its host, but nobody writes a rule for what is none. */
function hostProblem({ value }: Text): string | null {
  const url = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@\s]+)\/?$/i.exec(value);
  if (url) return `is no host, and never matches one; expected it without scheme and path, ${JSON.stringify(url[1])}`;
  return /[\s/?#@\\]/.test(value) ? "is no host, and never matches one; expected a name or an address, with or without a port" : null;
}

function lowered({ value, ignoreCase }: Text): string {
  return ignoreCase ? value.toLowerCase() : value;
}
