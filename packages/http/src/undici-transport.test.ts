import { setTimeout as sleep } from "node:timers/promises";
import { loopbackEndpoint, transportContract, transportPipeContract } from "@heddle/testing";
import { test } from "vitest";
import { httpTransport } from "./undici-transport.ts";

async function open() {
  const endpoint = await loopbackEndpoint();
  return { transport: httpTransport(), endpoint, pass: (ms: number) => sleep(ms), close: () => endpoint.close() };
}

transportContract({ name: "undici", test, open });
transportPipeContract({ name: "undici, byte pipes", test, open });
