const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Why keys must not be fetched from there; null: they may. Whoever can change them on the way signs as the issuer: plain text is for
 * loopback only.
 */
export function jwksUrlProblem(url: string): string | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) return "is not a URL";
  if (parsed.username !== "" || parsed.password !== "") return "must not hold credentials";
  if (parsed.protocol === "https:") return null;
  if (parsed.protocol !== "http:") return "must begin with https://";
  return LOOPBACK.test(parsed.hostname) ? null : "must begin with https://, as http:// is for loopback addresses only";
}
