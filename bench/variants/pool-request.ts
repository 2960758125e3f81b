import { Pool } from "undici";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** Raw undici: `Pool.request`, one pool a server, each in its turn. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const pools = addresses.map((address) => new Pool(`http://${address}`));
  const next = inTurn(pools);
  return {
    async call() {
      const { statusCode, body } = await next().request({ method: "GET", path });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
};
