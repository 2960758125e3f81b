import { setTimeout as sleep } from "node:timers/promises";
import { loopbackEndpoint, transportContract } from "@heddle/testing";
import { test } from "vitest";
import { httpTransport } from "./undici-transport.ts";

transportContract({
  name: "undici",
  test,
  open: async () => {
    const endpoint = await loopbackEndpoint();
    return { transport: httpTransport(), endpoint, pass: (ms) => sleep(ms), close: () => endpoint.close() };
  },
});
