import { Agent, fetch } from "undici";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** undici's `fetch` through a plain Agent, each server in its turn. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const dispatcher = new Agent();
  const next = inTurn(addresses.map((address) => `http://${address}${path}`));
  return {
    async call() {
      const response = await fetch(next(), { dispatcher });
      expectAnswer(response.status, (await response.bytes()).length);
    },
    close: () => dispatcher.destroy(),
  };
};
