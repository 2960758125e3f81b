import { Agent, request } from "undici";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** `undici.request()` through a plain Agent, each server in its turn. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const dispatcher = new Agent();
  const next = inTurn(addresses.map((address) => `http://${address}${path}`));
  return {
    async call() {
      const { statusCode, body } = await request(next(), { dispatcher });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    close: () => dispatcher.destroy(),
  };
};
