import { AsyncLocalStorage } from "node:async_hooks";
import type { OwnCalls, OwnFetch } from "@heddle/core";
import { Agent } from "undici";

/** One issuer is asked once at a time. */
const MOST_CONNECTIONS = 2;

/**
 * GET past the mesh: through an agent of its own, whatever dispatcher is global, with no policy, no redirect followed and nothing unpacked.
 * Servers of `https://` are verified by the authorities that Node believes, whatever NODE_TLS_REJECT_UNAUTHORIZED says: what comes is
 * believed as much as what it leads to, and one variable of the process must not let anybody sign tokens.
 */
export function ownCalls(): OwnCalls {
  // A connection keeps the stores of the request it is opened in for as long as it is open.
  const outsideRequests = AsyncLocalStorage.snapshot();
  const connect = { rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;
  const agent = new Agent({ allowH2: false, connections: MOST_CONNECTIONS, connect });
  const get: OwnFetch = async (url, { headers, signal }) => {
    const { origin, pathname, search } = new URL(url);
    const { statusCode, body } = await agent.request({ origin, path: pathname + search, method: "GET", headers, signal });
    return { status: statusCode, body };
  };
  return {
    fetch: (url, init) => outsideRequests(get, url, init),
    close: () => agent.destroy(),
  };
}
