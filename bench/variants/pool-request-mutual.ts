import { Pool } from "undici";
import { CALLER } from "../document.ts";
import { readCredentials } from "../handed-credentials.ts";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** `pool-request.ts` over TLS, with a certificate to show: what TLS costs in Node, without identities, policies or balancing. */
export const open: OpenVariant = async ({ addresses, path, authority }) => {
  if (authority === null) throw new TypeError("pool-request-mutual needs an authority");
  const { certificate, key, roots } = readCredentials(authority, CALLER);
  const connect = { cert: certificate, key, ca: roots, checkServerIdentity: () => undefined };
  const pools = addresses.map((address) => new Pool(`https://${address}`, { connect, allowH2: false }));
  const next = inTurn(pools);
  return {
    async call() {
      const { statusCode, body } = await next().request({ method: "GET", path });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    async verify(requests, counts) {
      const verified = Object.values(counts).reduce((sum, count) => sum + count.verified, 0);
      return [{ name: "mutual TLS: every request was of a caller with a certificate", holds: verified === requests, seen: `${verified}` }];
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
};
