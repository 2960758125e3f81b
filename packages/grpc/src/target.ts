/** Schemes of targets (https://grpc.io/docs/guides/custom-name-resolution) whose last part is a name that a service may claim. */
const NAMED = /^(?:dns|xds|passthrough):(?:\/\/[^/]*\/)?(.+)$/i;
const ADDRESS = /^ipv[46]:(?:\/\/[^/]*\/)?(.+)$/i;
const UNIX = /^unix(?:-abstract)?:/i;

/** What of a client's target is asked of the mesh: `reviews`, `reviews:9080`. A socket's path is nobody's host, and is given as it is. */
export function authorityOfTarget(target: string): string {
  if (UNIX.test(target)) return target;
  const name = NAMED.exec(target)?.[1] ?? ADDRESS.exec(target)?.[1] ?? target;
  return name.toLowerCase();
}
