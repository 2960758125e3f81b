interface RouterSettings {
  readonly useSemicolonDelimiter?: boolean | undefined;
}

/** As Fastify takes them, and as its `initialConfig` shows them. */
interface FastifySettings extends RouterSettings {
  readonly routerOptions?: RouterSettings | undefined;
}

/**
 * Throws TypeError for a Fastify that takes a semicolon for the begin of the query: it serves `/admin;x` by the route `/admin`, which rules
 * that deny `/admin` do not match. To the mesh, as to HTTP, a semicolon is a part of the path.
 */
export function refuseSemicolonDelimiter(settings: object | undefined, by: string): void {
  const { useSemicolonDelimiter, routerOptions } = (settings ?? {}) as FastifySettings;
  // Either may say it, and Fastify's versions differ in which of the two wins.
  if (useSemicolonDelimiter !== true && routerOptions?.useSemicolonDelimiter !== true) return;
  throw new TypeError(
    `${by}: Fastify's useSemicolonDelimiter makes /admin;x the route /admin, of which rules for the path /admin know nothing; leave it out`,
  );
}
