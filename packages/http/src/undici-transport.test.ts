import { setTimeout as sleep } from "node:timers/promises";
import { test } from "vitest";
import { transportContract } from "../../testing/src/contract-transport.ts";
import { loopbackEndpoint } from "../../testing/src/loopback-endpoint.ts";
import { httpTransport } from "./undici-transport.ts";

transportContract({
  name: "undici",
  test,
  open: async () => {
    const endpoint = await loopbackEndpoint();
    return { transport: httpTransport(), endpoint, pass: (ms) => sleep(ms), close: () => endpoint.close() };
  },
});
