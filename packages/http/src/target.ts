/** Where a request goes, as the mesh wants it. */
export interface Target {
  readonly scheme: "http" | "https";
  /** `host` or `host:port`, lower case, without the scheme's own port. */
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
}

/** What a URL parser would leave as it is: lower-case name without port, no dot segments, nothing to escape. */
const PLAIN = /^http:\/\/([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)*)(\/(?!\.)(?:[\w\-.~!$&()*+,;=:@?]|%(?!2[eE])|\/(?!\.))*(?<!\?))$/;

const PLAIN_PATH = /^\/(?!\.)(?:[\w\-.~!$&()*+,;=:@?]|%(?!2[eE])|\/(?!\.))*(?<!\?)$/;

/** Throws TypeError for what is not an absolute http or https URL, or carries credentials. */
export function parseTarget(url: string | URL): Target {
  if (typeof url === "string") {
    const plain = PLAIN.exec(url);
    if (plain) return { scheme: "http", authority: plain[1] as string, path: plain[2] as string };
  }
  const parsed = typeof url === "string" ? URL.parse(url) : url;
  if (!parsed) throw new TypeError(`${JSON.stringify(url)} is not an absolute URL`);
  const { protocol } = parsed;
  if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`${parsed.href}: the scheme must be http or https`);
  if (parsed.username !== "" || parsed.password !== "")
    throw new TypeError(`${parsed.host}: a URL with credentials is not taken; set the authorization header`);
  return { scheme: protocol === "http:" ? "http" : "https", authority: parsed.host, path: parsed.pathname + parsed.search };
}

/** The path of a call on a service, escaped where it must be. Throws TypeError unless it starts with a slash. */
export function parsePath(path: string): string {
  if (PLAIN_PATH.test(path)) return path;
  if (typeof path !== "string" || !path.startsWith("/")) throw new TypeError(`path ${JSON.stringify(path)} must start with /`);
  const parsed = new URL(`http://service${path}`);
  return parsed.pathname + parsed.search;
}

/** The path with a query put behind it. */
export function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const name of Object.keys(query)) {
    const value = query[name];
    if (Array.isArray(value)) for (const each of value) params.append(name, String(each));
    else if (value !== undefined && value !== null) params.append(name, String(value as QueryValue));
  }
  const written = params.toString();
  if (written === "") return path;
  return `${path}${path.includes("?") ? "&" : "?"}${written}`;
}

type QueryValue = string | number | boolean;

/** Query parameters; a list repeats its name, undefined and null leave it out. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined | null>>;
